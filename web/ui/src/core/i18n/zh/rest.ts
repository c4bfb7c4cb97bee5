import { readings } from './readings';
import { gate, gateEnds } from './gate';
import { reasons } from './reasons';
import { learn } from './sentences';
import { zhScreens } from './zh-screens';

/** What Chinese needs beyond the first screen: its sentences are learned, its dictionary is answered. */
export function screens(): typeof zhScreens {
  learn([...reasons, ...gate, ...readings], gateEnds);
  return zhScreens;
}
