/**
 * Programs and their keys. A key is a program's structure as a list of integers: nodes are numbered in
 * post-order, stored values and leaves become numbered arguments, host values are left out. Constants are
 * listed beside the key. Programs with equal keys and equal constants run the same code on different
 * arguments; where constants vary, one program takes them as arguments.
 */
import { equalShapes } from '@firsthand/linalg';
import { argumentLeaf, node as build, numberLeaf, rebuild } from './node.ts';
import { dtypeCode, opCode, PRIMITIVES } from './primitives.ts';
import { postOrder, unstored } from './traverse.ts';
import type { Attributes, ConstantNode, Effect, Leaf, Node, Op, Program } from './types.ts';

/**
 * The outputs of a program: new values of variables, and requested values. `into` may be overwritten.
 */
export interface Request {
  readonly effects: readonly { readonly node: Node; readonly into: Node | null }[];
  readonly roots: readonly Node[];
  /**
   * For a function that is traced more than once: the constants that are known to vary, from the numbers it
   * is called with.
   */
  readonly varying?: ReadonlySet<Node> | undefined;
}

/** A key with its hash, the arguments and the constants of the program. */
export interface Keyed {
  readonly key: Int32Array;
  readonly hash: number;
  /** The nodes whose values are the program's arguments, in order. */
  readonly args: readonly Node[];
  readonly order: readonly Node[];
  /** The constants, in order: their values are no part of the key. */
  readonly constants: readonly ConstantNode[];
  /** The number of arguments before each constant. */
  readonly precedence: readonly number[];
}

const ARGUMENT = -1;
const CONSTANT = -2;
let scratch = new Int32Array(1 << 12);
let length = 0;

function write(value: number): void {
  if (length === scratch.length) {
    const larger = new Int32Array(scratch.length * 2);
    larger.set(scratch);
    scratch = larger;
  }
  scratch[length++] = value;
}

const strings = new Map<string, number>();
const objects = new WeakMap<object, number>();
let interned = 0;

function intern(value: object | string): number {
  const known = typeof value === 'string' ? strings.get(value) : objects.get(value);
  if (known !== undefined) return known;
  const code = ++interned;
  if (typeof value === 'string') strings.set(value, code);
  else objects.set(value, code);
  return code;
}

/** True for a variable's pending value: an alias of the node that computes it. */
function isAlias(node: Node): boolean {
  return node.op === 'leaf' && node.stored === null && node.inputs.length === 1;
}

function isArgument(node: Node): boolean {
  return node.stored !== null || (node.op === 'leaf' && node.inputs.length === 0);
}

/**
 * The key of a request. The result is a view of a scratch buffer, valid until the next call; so are the
 * nodes' numbers.
 */
export function keyOf(request: Request): Keyed {
  const outputs = [...request.effects.map((effect) => effect.node), ...request.roots];
  const donated = request.effects.flatMap((effect) => (effect.into === null ? [] : [effect.into]));
  const order = postOrder([...outputs, ...donated], unstored);
  const args: Node[] = [];
  const constants: ConstantNode[] = [];
  const precedence: number[] = [];
  length = 0;
  let number = 0;
  for (const node of order) {
    if (isAlias(node)) {
      node.slot = node.inputs[0]!.slot;
      continue;
    }
    const argument = isArgument(node);
    write(
      argument ? ARGUMENT : node.op === 'const' && node.attrs.fixed !== true ? CONSTANT : opCode(node.op),
    );
    write(dtypeCode(node.dtype));
    write(node.shape.length);
    for (const extent of node.shape) write(extent);
    if (argument) {
      args.push(node);
    } else if (node.op === 'const' && node.attrs.fixed !== true) {
      constants.push(node);
      precedence.push(args.length);
    } else {
      encodeAttributes(node.op, node.attrs);
      write(node.inputs.length);
      for (const input of node.inputs) write(input.slot);
    }
    node.slot = number++;
  }
  write(request.effects.length);
  for (const { node, into } of request.effects) {
    write(node.slot);
    write(into === null ? ARGUMENT : into.slot);
  }
  for (const root of request.roots) write(root.slot);
  const key = scratch.subarray(0, length);
  return { key, hash: hash(key), args, order, constants, precedence };
}

/** The arguments of a program that takes the `varying` constants from its runs, in order. */
export function argumentsOf(
  { args, constants, precedence }: Keyed,
  varying: ArrayLike<number>,
): readonly Node[] {
  const all: Node[] = [];
  let next = 0;
  constants.forEach((constant, index) => {
    if (varying[index] === 0) return;
    while (next < precedence[index]!) all.push(args[next++]!);
    all.push(constant);
  });
  return [...all, ...args.slice(next)];
}

function encodeAttributes<K extends Op>(op: K, attrs: Attributes[Op]): void {
  PRIMITIVES[op].encode(attrs as Attributes[K], write, intern);
}

/** 53 bits from two multiplicative hashes (FNV-1a and a variant with another prime). */
function hash(key: Int32Array): number {
  let low = 0x811c9dc5;
  let high = 0x1b873593;
  for (let index = 0; index < key.length; index++) {
    const word = key[index]!;
    low = Math.imul(low ^ word, 0x01000193);
    high = Math.imul(high ^ word, 0x85ebca6b);
  }
  return (low >>> 0) * 2 ** 21 + ((high ^ (high >>> 13)) & 0x1fffff);
}

/**
 * The closed program of a request that has just been keyed: a copy of its nodes over fresh argument leaves.
 * `varying` constants become arguments too.
 */
export function closeProgram(
  request: Request,
  { order }: Keyed,
  varying: ReadonlySet<Node> = new Set(),
): Program {
  const copies: Node[] = [];
  const args: Leaf[] = [];
  for (const node of order) {
    if (isAlias(node)) continue;
    if (varying.has(node)) {
      const argument = numberLeaf(node.dtype);
      args.push(argument);
      copies.push(filled(argument, node));
    } else if (isArgument(node)) {
      const argument = argumentLeaf(node);
      args.push(argument);
      copies.push(argument);
    } else {
      copies.push(
        rebuild(
          node,
          node.inputs.map((input) => copies[input.slot]!),
          null,
        ),
      );
    }
  }
  const effects: Effect[] = request.effects.map(({ node, into }) => ({
    node: copies[node.slot]!,
    into: into === null ? null : (copies[into.slot] as Leaf),
  }));
  return { args, effects, roots: request.roots.map((root) => copies[root.slot]!) };
}

/** A number in every element of a shape. */
function filled(number: Node, { shape }: Node): Node {
  if (shape.length === 0) return number;
  const one = shape.map(() => 1);
  const single = build('movement', { kind: 'reshape', shape: one }, [number]);
  return equalShapes(one, shape) ? single : build('movement', { kind: 'expand', shape }, [single]);
}
