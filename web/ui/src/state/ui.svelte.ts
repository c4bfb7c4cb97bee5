/** What is asked of a war room by a key or a button: a dialog of it, or a field to write in. */
export type Ask = 'resolve' | 'severity' | 'cause' | 'handover' | 'merge' | 'note' | 'task' | 'update';

// What lies over the screen for a moment; none of it belongs in a link.
class Ui {
  palette = $state(false);
  help = $state(false);
  ask = $state<Ask | null>(null);
}

export const ui = new Ui();
