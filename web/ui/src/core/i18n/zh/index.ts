import type { Pack } from '../index';
import { wordOf } from '../words';
import { zh } from './dictionary';
import { event } from './events';
import { evidence } from './evidence';
import { sentence } from './sentences';

const kindOf = (kind: string) => wordOf(zh, 'kind', kind);

export const pack: Pack = { dictionary: zh, evidence, event, sentence: (text) => sentence(text, kindOf) };
