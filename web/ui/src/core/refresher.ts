/** Runs a loading function at most once at a time and not more often than every gap, however often it is asked. */
export class Refresher {
  private running = false;
  private again = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private last = -Infinity;
  private stopped = false;

  constructor(
    private readonly load: () => Promise<void>,
    private readonly gapMs = 600,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Asks for a load soon. */
  soon(): void {
    if (this.stopped) return;
    if (this.running) {
      this.again = true;
      return;
    }
    if (this.timer !== undefined) return;
    const wait = Math.max(0, this.last + this.gapMs - this.now());
    this.timer = setTimeout(() => void this.run(), wait);
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  private async run(): Promise<void> {
    this.timer = undefined;
    this.running = true;
    this.last = this.now();
    try {
      await this.load();
    } finally {
      this.running = false;
      if (this.again) {
        this.again = false;
        this.soon();
      }
    }
  }
}
