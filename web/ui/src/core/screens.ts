import type { Screen } from './router';

/** The eight screens in the order of the rail, with the letter that goes there after `g`. */
export const screens = [
  { screen: 'situation', href: '/', key: 's' },
  { screen: 'incident', href: '/i', key: 'w' },
  { screen: 'fleet', href: '/fleet', key: 'f' },
  { screen: 'changes', href: '/changes', key: 'c' },
  { screen: 'plans', href: '/plans', key: 'p' },
  { screen: 'drills', href: '/drills', key: 'd' },
  { screen: 'voice', href: '/voice', key: 'v' },
  { screen: 'review', href: '/review/oncall', key: 'r' },
] as const satisfies readonly { screen: Screen; href: string; key: string }[];
