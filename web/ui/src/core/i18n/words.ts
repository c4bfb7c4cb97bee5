import type { Dictionary, Key } from './en';

/** Says a key made at run time, such as `state.` + a word of the server's; an unknown one is said as that word. */
export function wordOf(dictionary: Dictionary, prefix: string, word: string): string {
  const key = `${prefix}.${word}`;
  return Object.hasOwn(dictionary, key) ? dictionary[key as Key] : word.replaceAll('_', ' ');
}
