/** Something that changes and tells its listeners so. */
export class Emitter {
  private listeners = new Set<() => void>();

  /** Calls fn after each change until the returned function is called. */
  subscribe(fn: () => void): () => void {
    this.listeners.add(fn);
    return () => this.listeners.delete(fn);
  }

  changed(): void {
    for (const fn of [...this.listeners]) fn();
  }
}
