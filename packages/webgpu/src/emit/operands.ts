/**
 * The operands of a kernel in WGSL: declarations, loads and stores, in a binding of their own or in the
 * packed buffer. Every element is one 32-bit word.
 */
import { operandName as letterOf, type Operand } from '@firsthand/compiler';
import type { DType } from '@firsthand/graph';
import { elementType } from '../scalar/operations.ts';
import type { Binding, OperandLayout } from './shader.ts';

/**
 * The name of an operand: its letter; after z a letter and a number, joined by `_`: `f32` would be a type.
 */
function operandName(operand: number): string {
  return letterOf(operand).replace(/\d+$/, '_$&');
}

/** The operands of a kernel, and which of them its shader uses. */
export class Operands {
  readonly #operands: readonly Operand[];
  readonly #layout: OperandLayout;
  readonly #used = new Set<number>();
  /** Operands that are declared as arrays of vec4. */
  readonly #vectors: ReadonlySet<number>;
  #hasScratch = false;

  constructor(operands: readonly Operand[], layout: OperandLayout, vectors: ReadonlySet<number> = new Set()) {
    this.#operands = operands;
    this.#layout = layout;
    this.#vectors = vectors;
  }

  /** The value of an element. */
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
    const reference = this.reference(operand, index);
    return this.#layout.packed.has(this.#layout.aliasOf[operand]!) && type !== 'u32'
      ? `bitcast<${type}>(${reference})`
      : reference;
  }

  /** The element as a memory reference, which can be read and assigned to. */
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

  /** The declarations of the operands in use, and their bindings in the same order. */
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

/** The value of a word in memory: a bool is a word that is not 0. */
export function fromElement(dtype: DType, element: string): string {
  return dtype === 'bool' ? `(${element} != 0u)` : element;
}

/** The word of a value. */
export function toElement(dtype: DType, value: string): string {
  return dtype === 'bool' ? `select(0u, 1u, ${value})` : value;
}
