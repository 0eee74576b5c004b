/** What is left of control flow once `inlineControlFlow` wrote out what it can: why it could not be, and what to do. */
import type { Lower } from './registry.ts';
import { Refusal } from './terms.ts';

const refused =
  (reason: string): Lower =>
  () => {
    throw new Refusal(reason);
  };

export const CONTROL_FLOW_LOWERINGS: Readonly<Record<string, Lower>> = {
  If: refused('its condition is data, and its branches differ in shape or cannot both be computed; export one branch'),
  Loop: refused('how often it runs is data, or more than can be written out; export it with a fixed number of steps'),
  Scan: refused('the length of what it scans is not fixed, or it is older than opset 9; export it with fixed sizes'),
};
