/**
 * What the semantic rules need to know of the engine they run in, which no standard names: Node and browsers
 * each answer in their own way.
 */

export interface Engine {
  /** Runs the garbage collector now. Finalizers run later, when the event loop turns. */
  collectGarbage(): void;
  /** The bytes of the JavaScript heap that are in use. */
  heapUsed(): number;
  /** The reasons of the promises that were rejected, and that nobody handled, while `work` ran. */
  unhandledRejections(work: () => Promise<void>): Promise<readonly unknown[]>;
  /** A value as text, in the way of a console. */
  print(value: unknown): string;
}
