import type { Evidence } from '../types';
import type { Pack } from './index';
import { en } from './en';
import { wordOf } from './words';

/** The server's sentence, with the indicator's name as people say it. */
function evidence(e: Evidence): string | null {
  const name = e.args?.indicator;
  return typeof name === 'string' && name ? e.text.replace(name, wordOf(en, 'indicator', name)) : null;
}

// The server speaks English: its sentences need no making again.
export const pack: Pack = { dictionary: en, evidence, event: () => null, sentence: () => null };
