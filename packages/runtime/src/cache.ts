/**
 * The program cache of a device: structure → executable, least recently used first out. A hit costs one pass
 * over the key. Programs of one structure with different constants are a family; a constant that varies from
 * program to program becomes an argument of the next one.
 */
import { argumentsOf, closeProgram, keyOf } from '@firsthand/graph';
import type { Keyed, Request, ConstantNode, Node } from '@firsthand/graph';
import type { Device, Executable } from './device.ts';
import { exactConstants } from './varying.ts';

/** One program of a family. */
interface Member {
  readonly executable: Executable;
  /** The constants that it was compiled with, in the order of the key. */
  readonly values: Float64Array;
  /** 1 for the constants that are arguments of its runs. */
  readonly varying: Uint8Array;
  /** True if it embeds all constants. */
  readonly isExact: boolean;
}

/** The programs of one structure, the most recently used first. */
interface Family {
  readonly key: Int32Array;
  readonly members: Member[];
  /** For each constant, the number of programs after which a different value makes it an argument; lazy. */
  thresholds: Uint8Array | null;
}

/** A request's executable, its arguments, and its nodes in post-order. */
export interface Prepared {
  readonly executable: Executable;
  /** Leaves, stored values, and the constants that are arguments. */
  readonly args: readonly Node[];
  readonly order: readonly Node[];
  /** The constants that are compiled into the program. */
  readonly embedded: readonly ConstantNode[];
}

/** Programs that embed the constants of one structure; the next takes those that differ as arguments. */
const EXACT_PROGRAMS = 2;
/**
 * The same for constants that constant folding combines with others: computed in the run instead, the result
 * may differ by an ulp.
 */
const INEXACT_PROGRAMS = 6;
const NEVER = 255;
/** The most programs of one structure. */
const FAMILY_LIMIT = 32;

export class ProgramCache {
  readonly #device: Device;
  readonly #capacity: number;
  readonly #compiled: () => void;
  /** In order of use; families with equal hashes share a list. */
  readonly #families = new Map<number, Family[]>();
  #size = 0;

  constructor(device: Device, compiled: () => void, capacity = 512) {
    this.#device = device;
    this.#compiled = compiled;
    this.#capacity = capacity;
  }

  prepare(request: Request): Prepared {
    const keyed = keyOf(request);
    const list = this.#families.get(keyed.hash);
    const family = list?.find((each) => equal(each.key, keyed.key));
    if (list === undefined || family === undefined)
      return this.#found(keyed, this.#compile(request, keyed, null));
    this.#families.delete(keyed.hash);
    this.#families.set(keyed.hash, list);
    return this.#found(keyed, memberFor(family, keyed.constants) ?? this.#compile(request, keyed, family));
  }

  #found(keyed: Keyed, { executable, varying, isExact }: Member): Prepared {
    const { constants, order } = keyed;
    const embedded = isExact ? constants : constants.filter((_, index) => varying[index] === 0);
    return {
      executable,
      args: isExact ? keyed.args : argumentsOf(keyed, varying),
      order,
      embedded: embedded,
    };
  }

  #compile(request: Request, keyed: Keyed, family: Family | null): Member {
    const { constants, hash } = keyed;
    // The key is a view of a buffer that compiling may use again.
    const entry: Family = family ?? { key: keyed.key.slice(), members: [], thresholds: null };
    const varying = this.#varying(request, keyed, entry);
    const program = closeProgram(
      request,
      keyed,
      new Set(constants.filter((_, index) => varying[index] === 1)),
    );
    const member: Member = {
      executable: this.#device.prepare(program),
      values: valuesOf(constants),
      varying,
      isExact: !varying.includes(1),
    };
    this.#compiled();
    entry.members.unshift(member);
    this.#size++;
    if (entry.members.length > FAMILY_LIMIT) {
      entry.members.pop();
      this.#size--;
    }
    if (family === null) this.#families.set(hash, [...(this.#families.get(hash) ?? []), entry]);
    while (this.#size > this.#capacity && this.#families.size > 1) this.#dropOldest();
    return member;
  }

  #dropOldest(): void {
    const [hash, families] = this.#families.entries().next().value!;
    this.#families.delete(hash);
    for (const { members } of families) this.#size -= members.length;
  }

  /**
   * Which constants the next program of a family takes from its runs: those that the request knows to vary,
   * and those in which it differs from the nearest program, sooner or later.
   */
  #varying({ varying: given }: Request, { order, constants }: Keyed, family: Family): Uint8Array {
    const varying = new Uint8Array(constants.length);
    const { members } = family;
    if (
      constants.length === 0 ||
      (given === undefined ? members.length < EXACT_PROGRAMS : members.length + given.size === 0)
    )
      return varying;
    const nearest = nearestOf(members, constants);
    family.thresholds ??= thresholdsOf(constants, exactConstants(order));
    for (let index = 0; index < varying.length; index++) {
      const thresholds = family.thresholds[index]!;
      if (thresholds === NEVER) continue;
      // Numbers of a compiled function vary, and so do constants that are others when it is traced again.
      const differs =
        nearest !== null &&
        !agrees(nearest, constants, index) &&
        (given !== undefined || members.length >= thresholds);
      if (differs || given?.has(constants[index]!) === true || nearest?.varying[index] === 1)
        varying[index] = 1;
    }
    return varying;
  }
}

/**
 * The program of a family that these constants may run, one that holds them if there is one; it is moved to
 * the front.
 */
function memberFor({ members }: Family, constants: readonly ConstantNode[]): Member | null {
  const fits = (member: Member): boolean => constants.every((_, index) => agrees(member, constants, index));
  const exact = members.findIndex((member) => member.isExact && fits(member));
  const index = exact < 0 ? members.findIndex(fits) : exact;
  if (index < 0) return null;
  const member = members[index]!;
  if (index > 0) members.unshift(...members.splice(index, 1));
  return member;
}

/** True unless the program holds another number. */
function agrees({ values, varying }: Member, constants: readonly ConstantNode[], index: number): boolean {
  return varying[index] === 1 || Object.is(values[index], constants[index]!.attrs.value);
}

/** The program that differs in the fewest constants. */
function nearestOf(members: readonly Member[], constants: readonly ConstantNode[]): Member | null {
  let nearest: Member | null = null;
  let fewest = Infinity;
  for (const member of members) {
    const distance = constants.reduce(
      (count, _, index) => count + (agrees(member, constants, index) ? 0 : 1),
      0,
    );
    if (distance < fewest) [nearest, fewest] = [member, distance];
  }
  return nearest;
}

function valuesOf(constants: readonly ConstantNode[]): Float64Array {
  return Float64Array.from(constants, ({ attrs }) => attrs.value);
}

function thresholdsOf(constants: readonly ConstantNode[], exact: ReadonlySet<ConstantNode>): Uint8Array {
  return Uint8Array.from(constants, (constant) =>
    constant.dtype === 'bool' ? NEVER : exact.has(constant) ? EXACT_PROGRAMS : INEXACT_PROGRAMS,
  );
}

function equal(a: Int32Array, b: Int32Array): boolean {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return false;
  return true;
}
