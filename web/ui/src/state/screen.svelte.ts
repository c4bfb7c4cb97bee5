// Which form the screen has: a phone never gets the wall of cells.
class Form {
  phone = $state(false);
  reduced = $state(false);

  constructor() {
    this.follow('(max-width: 640px)', (m) => (this.phone = m));
    this.follow('(prefers-reduced-motion: reduce)', (m) => (this.reduced = m));
  }

  private follow(query: string, set: (matches: boolean) => void): void {
    const list = window.matchMedia(query);
    set(list.matches);
    list.addEventListener('change', (e) => set(e.matches));
  }
}

export const form = new Form();
