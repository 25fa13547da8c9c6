/**
 * A parameter of a part that faults change. Several may be on at once: the last one holds, and when all are gone the part
 * has what it had before.
 */
export class Setting {
  readonly #base: number;
  readonly #holds = new Map<object, number>();

  constructor(
    private readonly read: () => number,
    private readonly write: (value: number) => void,
  ) {
    this.#base = read();
  }

  set(owner: object, value: number): void {
    this.#holds.set(owner, value);
    this.#write();
  }

  clear(owner: object): void {
    if (this.#holds.delete(owner)) this.#write();
  }

  /** Nothing of this owner's is left: the part itself was asked. */
  isClear(owner: object): boolean {
    return !this.#holds.has(owner) && this.read() === this.#wanted();
  }

  #write(): void {
    const value = this.#wanted();
    if (this.read() !== value) this.write(value);
  }

  #wanted(): number {
    let value = this.#base;
    for (const held of this.#holds.values()) value = held;
    return value;
  }
}
