/**
 * The arrays of one kernel in WGSL: how they are declared, and how an element is loaded and stored wherever
 * it lies. Every element is one 32-bit word.
 */
import { operandName as letterOf, type Operand } from '@firsthand/compiler';
import type { DType } from '@firsthand/graph';
import { elementType } from '../scalar/operations.ts';
import type { Binding, OperandLayout } from './shader.ts';

/**
 * The name of an array: its letter; where letters come again, with a number that cannot make a type of it,
 * such as `f32`.
 */
function operandName(operand: number): string {
  return letterOf(operand).replace(/\d+$/, '_$&');
}

/** The arrays of a kernel, and which of them its shader has touched. */
export class Operands {
  readonly #operands: readonly Operand[];
  readonly #layout: OperandLayout;
  readonly #used = new Set<number>();
  /** Operands whose elements are read and written four at a time. */
  readonly #vectors: ReadonlySet<number>;
  #hasScratch = false;

  constructor(operands: readonly Operand[], layout: OperandLayout, vectors: ReadonlySet<number> = new Set()) {
    this.#operands = operands;
    this.#layout = layout;
    this.#vectors = vectors;
  }

  /** The element in memory as a value: a bool is a word that is not 0. */
  load(operand: number, index: string): string {
    const { dtype } = this.#operands[operand]!;
    return fromElement(dtype, this.#element(operand, index));
  }

  /** A statement that stores a value. */
  store(operand: number, index: string, value: string): string {
    const { dtype } = this.#operands[operand]!;
    const element = toElement(dtype, value);
    const word =
      this.#layout.packed.has(this.#layout.aliasOf[operand]!) && elementType(dtype) !== 'u32'
        ? `bitcast<u32>(${element})`
        : element;
    return `${this.reference(operand, index)} = ${word};`;
  }

  #element(operand: number, index: string): string {
    const type = elementType(this.#operands[operand]!.dtype);
    const place = this.reference(operand, index);
    return this.#layout.packed.has(this.#layout.aliasOf[operand]!) && type !== 'u32'
      ? `bitcast<${type}>(${place})`
      : place;
  }

  /** The element as it stands in memory. */
  reference(operand: number, index: string): string {
    const shared = this.#layout.aliasOf[operand]!;
    this.#used.add(shared);
    const first = this.#layout.packed.get(shared);
    if (first === undefined) return `${operandName(shared)}[${index}]`;
    return first === 0 ? `packed[${index}]` : `packed[${first} + ${index}]`;
  }

  /** The name of the working memory, an array of u32. */
  scratch(): string {
    this.#hasScratch = true;
    return 'scratch';
  }

  /** Declarations of what has been touched, and what is bound for them, in one order. */
  declare(): { readonly lines: readonly string[]; readonly bindings: readonly Binding[] } {
    const bindings: Binding[] = [];
    const lines: string[] = [];
    const bind = (binding: Binding, access: string, name: string, type: string): void => {
      lines.push(`@group(0) @binding(${bindings.length}) var<storage, ${access}> ${name}: ${type};`);
      bindings.push(binding);
    };
    for (const operand of [...this.#used].sort((a, b) => a - b)) {
      if (this.#layout.packed.has(operand)) continue;
      const access = this.#layout.access[operand]!;
      const { dtype, length } = this.#operands[operand]!;
      const type = elementType(dtype);
      const count = Math.max(length, 1);
      const array = this.#vectors.has(operand)
        ? `array<vec4<${type}>, ${count / 4}>`
        : `array<${type}, ${count}>`;
      bind({ kind: 'operand', operand, access }, access, operandName(operand), array);
    }
    if ([...this.#used].some((operand) => this.#layout.packed.has(operand)))
      bind({ kind: 'packed' }, 'read_write', 'packed', 'array<u32>');
    if (this.#hasScratch) bind({ kind: 'scratch' }, 'read_write', 'scratch', 'array<u32>');
    return { lines, bindings };
  }
}

/** An element in memory as a value in registers. */
export function fromElement(dtype: DType, element: string): string {
  return dtype === 'bool' ? `(${element} != 0u)` : element;
}

/** A value in registers as an element in memory. */
export function toElement(dtype: DType, value: string): string {
  return dtype === 'bool' ? `select(0u, 1u, ${value})` : value;
}
