// What lies over the screen for a moment; none of it belongs in a link.
class Ui {
  palette = $state(false);
  help = $state(false);
  resolve = $state<string | null>(null);
  severity = $state<string | null>(null);
}

export const ui = new Ui();
