// Single keys, `g` and a letter, and ⌘K. Off while somebody types or an input method composes, and where they are turned off.
export type Command =
  | 'help'
  | 'palette'
  | 'filter'
  | 'next'
  | 'previous'
  | 'acknowledge'
  | 'resolve'
  | 'severity'
  | 'note'
  | 'task'
  | 'update'
  | 'cause'
  | 'handover'
  | 'link'
  | 'utc'
  | 'marks'
  | 'wall'
  | 'close'
  | `go:${string}`;

export const singleKeys: Record<string, Command> = {
  '?': 'help',
  '/': 'filter',
  j: 'next',
  k: 'previous',
  a: 'acknowledge',
  r: 'resolve',
  s: 'severity',
  n: 'note',
  t: 'task',
  p: 'update',
  c: 'cause',
  h: 'handover',
  l: 'link',
  u: 'utc',
  m: 'marks',
  w: 'wall',
};

export const goKeys: Record<string, string> = {
  s: 'situation',
  w: 'incident',
  f: 'fleet',
  c: 'changes',
  p: 'plans',
  d: 'drills',
  v: 'voice',
  r: 'review',
};

/** What Keys reads of a KeyboardEvent. */
export interface Press {
  key: string;
  ctrlKey?: boolean;
  metaKey?: boolean;
  altKey?: boolean;
  repeat?: boolean;
  isComposing?: boolean;
  keyCode?: number;
  target?: EventTarget | null;
}

const SEQUENCE_MS = 1200;
const COMPOSING = 229; // the keyCode of keys that an input method swallows

/** Says whether the element takes text, so that letters belong to it. */
export function takesText(target: EventTarget | null | undefined): boolean {
  if (!target || !(target instanceof HTMLElement)) return false;
  return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
}

/** Turns presses into commands; it remembers a `g` for a moment. */
export class Keys {
  enabled = true;
  private goUntil = 0;

  constructor(private readonly now: () => number = Date.now) {}

  read(p: Press): Command | null {
    if (p.isComposing || p.keyCode === COMPOSING || p.altKey) return null;
    if (p.ctrlKey || p.metaKey) return p.key.toLowerCase() === 'k' ? 'palette' : null;
    if (p.key === 'Escape') return 'close';
    if (!this.enabled || takesText(p.target)) return null;
    if (this.goUntil > this.now()) {
      this.goUntil = 0;
      const screen = goKeys[p.key];
      return screen ? `go:${screen}` : null;
    }
    if (p.repeat && p.key !== 'j' && p.key !== 'k') return null;
    if (p.key === 'g') {
      this.goUntil = this.now() + SEQUENCE_MS;
      return null;
    }
    return Object.hasOwn(singleKeys, p.key) ? singleKeys[p.key]! : null;
  }
}
