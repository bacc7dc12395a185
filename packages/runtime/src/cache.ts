/**
 * The program cache: structure → executable, per device. A hit costs one pass over the key; the least
 * recently used programs go first. Programs of one structure that differ in constants are a family: when a
 * constant is seen to vary, a program takes it as an argument.
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
  /** 1 for those that its runs are given. */
  readonly varying: Uint8Array;
  /** Whether it holds all of them. */
  readonly isExact: boolean;
}

/** The programs of one structure, the most recently used first. */
interface Family {
  readonly key: Int32Array;
  readonly members: Member[];
  /**
   * From how many programs on a constant that differs becomes an argument; found out when it is first asked
   * for.
   */
  patience: Uint8Array | null;
}

/** A request's executable, with the nodes that are its arguments and the order in which it computes. */
export interface Prepared {
  readonly executable: Executable;
  /** Leaves, stored values, and constants that the program takes from its runs. */
  readonly args: readonly Node[];
  readonly order: readonly Node[];
  /** The constants that the program holds. */
  readonly held: readonly ConstantNode[];
}

/**
 * Programs of one structure that hold their constants, before one is made that takes those that differ as
 * arguments.
 */
const EXACT_PROGRAMS = 2;
/**
 * The same for constants of which compiling makes other constants: what a run makes of them instead may
 * differ in the last place.
 */
const EXACT_FOLDED = 6;
const NEVER = 255;
/** Programs of one structure that are kept. */
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
    const held = isExact ? constants : constants.filter((_, index) => varying[index] === 0);
    return { executable, args: isExact ? keyed.args : argumentsOf(keyed, varying), order, held };
  }

  #compile(request: Request, keyed: Keyed, family: Family | null): Member {
    const { constants, hash } = keyed;
    // The key is a view of a buffer that compiling may use again.
    const entry: Family = family ?? { key: keyed.key.slice(), members: [], patience: null };
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
    family.patience ??= patienceWith(constants, exactConstants(order));
    for (let index = 0; index < varying.length; index++) {
      const patience = family.patience[index]!;
      if (patience === NEVER) continue;
      // Numbers of a compiled function vary, and so do constants that are others when it is traced again.
      const differs =
        nearest !== null &&
        !agrees(nearest, constants, index) &&
        (given !== undefined || members.length >= patience);
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

function patienceWith(constants: readonly ConstantNode[], exact: ReadonlySet<ConstantNode>): Uint8Array {
  return Uint8Array.from(constants, (constant) =>
    constant.dtype === 'bool' ? NEVER : exact.has(constant) ? EXACT_PROGRAMS : EXACT_FOLDED,
  );
}

function equal(a: Int32Array, b: Int32Array): boolean {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return false;
  return true;
}
