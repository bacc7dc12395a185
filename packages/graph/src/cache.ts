/**
 * The program cache: structure → executable, per device. A hit costs one pass over the key; the least recently used
 * programs go first.
 */
import { closeProgram, keyOf } from './key.ts';
import type { Keyed, Request } from './key.ts';
import type { Device, Executable, Node } from './types.ts';

interface Entry {
  readonly key: Int32Array;
  readonly hash: number;
  readonly executable: Executable;
}

/** A request's executable, with the nodes that are its arguments and the order in which it computes. */
export interface Prepared {
  readonly executable: Executable;
  readonly args: readonly Node[];
  readonly order: readonly Node[];
}

export class ProgramCache {
  readonly #device: Device;
  readonly #capacity: number;
  readonly #compiled: () => void;
  /** In order of use; entries with equal hashes share a list. */
  readonly #entries = new Map<number, Entry[]>();

  constructor(device: Device, compiled: () => void, capacity = 512) {
    this.#device = device;
    this.#compiled = compiled;
    this.#capacity = capacity;
  }

  prepare(request: Request): Prepared {
    const keyed = keyOf(request);
    const found = this.#find(keyed);
    const executable = found ?? this.#compile(request, keyed);
    return { executable, args: keyed.args, order: keyed.order };
  }

  #find({ key, hash }: Keyed): Executable | null {
    const entries = this.#entries.get(hash);
    const entry = entries?.find((each) => equal(each.key, key));
    if (entries === undefined || entry === undefined) return null;
    this.#entries.delete(hash);
    this.#entries.set(hash, entries);
    return entry.executable;
  }

  #compile(request: Request, keyed: Keyed): Executable {
    const program = closeProgram(request, keyed);
    const key = keyed.key.slice();
    const executable = this.#device.prepare(program);
    this.#compiled();
    const entry: Entry = { key, hash: keyed.hash, executable };
    this.#entries.set(keyed.hash, [...(this.#entries.get(keyed.hash) ?? []), entry]);
    if (this.#entries.size > this.#capacity) {
      const oldest = this.#entries.keys().next();
      if (oldest.done !== true) this.#entries.delete(oldest.value);
    }
    return executable;
  }
}

function equal(a: Int32Array, b: Int32Array): boolean {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return false;
  return true;
}
