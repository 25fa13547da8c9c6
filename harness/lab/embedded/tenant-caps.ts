/** Calls at once that each tenant may have, counted over all nodes. What is above is refused: a policy, not a failure. */
export class TenantCaps {
  cappedTotal = 0;
  readonly #calls = new Map<string, number>();

  /** 0: no limit. */
  constructor(private readonly cap: number) {}

  take(tenant: string): boolean {
    const calls = this.#calls.get(tenant) ?? 0;
    if (this.cap > 0 && calls >= this.cap) {
      this.cappedTotal++;
      return false;
    }
    this.#calls.set(tenant, calls + 1);
    return true;
  }

  give(tenant: string): void {
    this.#calls.set(tenant, (this.#calls.get(tenant) ?? 1) - 1);
  }
}
