/** The sections of the screen of changes, in their order. */
export const gateTabs = ['changes', 'freezes', 'overrides', 'rules', 'hygiene'] as const;
export type GateTab = (typeof gateTabs)[number];
export const tabHref = (tab: GateTab) => (tab === 'changes' ? '/changes' : `/changes/gate/${tab}`);
