import type { Connections, Verdict } from '../verdict/types.js';
import { count, escapeXml as esc } from './format.js';

/** Connections of TCP, TLS and WebSocket as our end saw them: label, count, whether it is a loss. */
function rowsOf(c: Connections): [string, number, boolean][] {
  return [
    ['dialled', c.dialled, false],
    ['of them anew, where one had failed or was gone', c.redialled, false],
    ['made', c.made, false],
    ['accepted', c.accepted, false],
    ['open at once', c.openMax, false],
    ['refused', c.refused, true],
    ['reset', c.reset, true],
    ['closed by the peer', c.closed, true],
    ['timed out', c.timedOut, true],
    ['unreachable', c.unreached, true],
    ['TLS failed', c.tlsFailed, true],
    ['WebSocket failed', c.webSocketFailed, true],
    ['no room of ours', c.noRoom, true],
    ['broken: message too long', c.tooLong, true],
    ['broken: no Content-Length', c.unframed, true],
    ['keep-alive pings', c.pings, false],
    ['pongs', c.pongs, false],
    ['pongs that did not come', c.pongTimeouts, true],
  ];
}

/** One line for the terminal: what went well, and the losses that there were. Nothing over UDP. */
export function connectionLines({ connections }: Verdict): string[] {
  if (connections === null) return [];
  const c = connections;
  const losses = rowsOf(c).filter(([, n, loss]) => loss && n > 0);
  const anew = c.redialled > 0 ? ` (${count(c.redialled)} of them anew)` : '';
  const accepted = c.accepted > 0 ? `, ${count(c.accepted)} accepted` : '';
  const parts = [
    `${count(c.dialled)} dialled${anew}, ${count(c.made)} made${accepted}, ${count(c.openMax)} open at once`,
    ...losses.map(([label, n]) => `${label} ${count(n)}`),
  ];
  return [parts.join('; ')];
}

export function connectionsHtml({ connections }: Verdict): string {
  if (connections === null) return '';
  const tiles = rowsOf(connections)
    .filter(([, n, loss]) => n > 0 || !loss)
    .map(
      ([label, n, loss]) =>
        `<div class="tile${loss ? ' bad' : ''}"><b>${esc(count(n))}</b><span>${esc(label)}</span></div>`,
    );
  return `<h2>Connections</h2><div class="tiles">${tiles.join('')}</div>`;
}
