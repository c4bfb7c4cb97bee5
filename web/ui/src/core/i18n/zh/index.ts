import type { Pack } from '../index';
import { zh } from './dictionary';
import { event } from './events';
import { evidence } from './evidence';

export const pack: Pack = { dictionary: zh, evidence, event };
