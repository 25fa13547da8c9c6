import type { FleetPlan } from './fleet.js';
import type { MediaWish } from './wire/media.js';

/** What an agents' process in a container is to do. Callers with address 0 call from the one that leads to their hop. */
export interface Assignment {
  plan: FleetPlan;
  media: MediaWish;
  legCapacity: number;
  /** 0: no phone registers. */
  registrationCapacity: number;
}
