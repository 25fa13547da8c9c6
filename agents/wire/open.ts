/** The real wire for this machine. */
import { DgramWire } from './dgram.js';
import { LinuxWire } from './linux.js';
import { chooseMedia, type MediaChoice, type MediaWish } from './media.js';

/** LinuxWire for raw and sockets, DgramWire for dgram. The choice names why: the report shows it. */
export function openWire(wish: MediaWish = 'auto'): { wire: LinuxWire | DgramWire; media: MediaChoice } {
  const media = chooseMedia(wish);
  if (media.kind === 'dgram') return { wire: new DgramWire(), media };
  return { wire: new LinuxWire({ media: media.kind }), media };
}
