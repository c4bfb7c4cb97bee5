import type { Pack } from '../index';
import { wordOf } from '../words';
import { zh } from './dictionary';
import { event } from './events';
import { evidence } from './evidence';
import { sentence } from './sentences';

const word = (prefix: string, name: string) => wordOf(zh, prefix, name);

export const pack: Pack = { dictionary: zh, evidence, event, sentence: (text) => sentence(text, word) };
