/** Says a key made at run time, such as `state.` + a word of the server's; an unknown one is said as that word. */
export function wordOf(dictionary: Readonly<Record<string, string>>, prefix: string, word: string): string {
  const key = `${prefix}.${word}`;
  return Object.hasOwn(dictionary, key) ? dictionary[key]! : word.replaceAll('_', ' ');
}
