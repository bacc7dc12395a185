/**
 * Maps: kernels without reductions. On a software adapter an invocation computes elements that are a
 * workgroup apart, so that neighbouring invocations access neighbouring elements. On hardware it computes
 * four consecutive ones, and loads and stores them as one vec4.
 */
import {
  axisName,
  coefficientOf,
  scalarsIn,
  type Index,
  type LoopKernel,
  type Scalar,
  type Term,
} from '@firsthand/compiler';
import { sizeOf } from '@firsthand/linalg';
import { declareAxes, range } from '../emit/axes.ts';
import { Block } from '../emit/block.ts';
import { ExpressionWriter, extentsOf, Scope } from '../emit/expression-writer.ts';
import { indexText } from '../emit/indices.ts';
import { GROUP_ROW, shaderOf } from '../emit/module.ts';
import { fromElement, Operands, toElement } from '../emit/operands.ts';
import { declareWorkItem } from './work-items.ts';
import type { AdapterProfile } from '../emit/profile.ts';
import { elementType } from '../scalar/operations.ts';
import type { OperandLayout, Shader } from '../emit/shader.ts';

/**
 * Workgroup size and elements per invocation by the number of elements: an invocation's start costs as much
 * as a few elements.
 */
const MAP_SIZES = [
  { from: 0, size: 64, perInvocation: 1 },
  { from: 4096, size: 64, perInvocation: 4 },
  { from: 65536, size: 256, perInvocation: 16 },
] as const;
const SIZE = 64;
const LANES = 4;

/** The shader of a kernel without reductions. */
export function mapShader(kernel: LoopKernel, layout: OperandLayout, profile: AdapterProfile): Shader {
  const vectors = profile.isSoftware ? null : vectorOperands(kernel, layout);
  return vectors === null ? scalarMap(kernel, layout) : vectorMap(kernel, layout, vectors);
}

function scalarMap(kernel: LoopKernel, layout: OperandLayout): Shader {
  const extents = extentsOf(kernel);
  const total = sizeOf(extents);
  const { size, perInvocation } = MAP_SIZES.findLast(({ from }) => total >= from)!;
  const workgroups = Math.ceil(total / (size * perInvocation));
  const expressions = new ExpressionWriter(new Operands(kernel.operands, layout), extents);
  const body = new Block(1);
  const inner = perInvocation === 1 ? body : body.open(`for (var step = 0; step < ${perInvocation}; step++)`);
  const first = perInvocation === 1 ? 'group' : `(group * ${perInvocation} + step)`;
  inner.line(`let element = ${first} * ${size} + lane;`);
  if (total % (size * perInvocation) !== 0 || workgroups > GROUP_ROW)
    inner.open(`if (element >= ${total})`).line('return;');
  declareAxes(inner, range(extents.length), extents, 'element');
  const scope = new Scope(inner.insertionPoint(), range(extents.length));
  for (const { stores } of kernel.passes) expressions.storeAll(stores, scope);
  return shaderOf({ expressions, size, workgroups, body });
}

// ---- four at a time

/** How an access moves along the innermost axis: contiguously, or not at all. */
type Motion = 'vector' | 'still';

/**
 * The operands that are accessed as vec4; null unless each access is either that or the same for all four.
 */
function vectorOperands(kernel: LoopKernel, { aliasOf, packed }: OperandLayout): ReadonlySet<number> | null {
  const extents = extentsOf(kernel);
  const inner = extents.length - 1;
  if (extents[inner]! % LANES !== 0 || packed.size > 0 || kernel.passes.length !== 1) return null;
  const { stores } = kernel.passes[0]!;
  const motions = new Map<number, Motion>();
  const note = (operand: number, motion: Motion | null): boolean => {
    const array = aliasOf[operand]!;
    if (motion === null || (motions.get(array) ?? motion) !== motion) return false;
    if (motion === 'vector' && kernel.operands[array]!.length % LANES !== 0) return false;
    motions.set(array, motion);
    return true;
  };
  for (const scalar of scalarsIn(stores.map(({ value }) => value))) {
    if (scalar.op === 'gather' && !note(scalar.operand, 'still')) return null;
    if (scalar.op === 'load' && !note(scalar.operand, motionOf(scalar.index, inner))) return null;
  }
  if (!stores.every(({ operand, index }) => motionOf(index, inner) === 'vector' && note(operand, 'vector')))
    return null;
  return new Set([...motions].flatMap(([operand, motion]) => (motion === 'vector' ? [operand] : [])));
}

/** How an access moves; null if four consecutive elements are not one aligned vector. */
function motionOf(index: Index, inner: number): Motion | null {
  const stride = coefficientOf(index, inner);
  if (stride === 0) return 'still';
  if (stride !== 1 || index.offset % LANES !== 0) return null;
  const isAligned = index.terms.every(
    ({ atom, coefficient }) => atom.kind === 'axis' && (atom.axis === inner || coefficient % LANES === 0),
  );
  return isAligned ? 'vector' : null;
}

/** The index of the vec4 of an aligned access, over the same axes, of which the innermost counts vec4s. */
function vectorIndex({ offset, terms }: Index, inner: number): Index {
  const isInner = ({ atom }: Term): boolean => atom.kind === 'axis' && atom.axis === inner;
  const scaled = terms.map((term) =>
    isInner(term) ? term : { ...term, coefficient: term.coefficient / LANES },
  );
  return { offset: offset / LANES, terms: scaled };
}

function vectorMap(kernel: LoopKernel, layout: OperandLayout, vectors: ReadonlySet<number>): Shader {
  const extents = extentsOf(kernel);
  const inner = extents.length - 1;
  const quads = extents.with(inner, extents[inner]! / LANES);
  const items = sizeOf(quads);
  const workgroups = { size: SIZE, workgroups: Math.ceil(items / SIZE) };
  const operands = new Operands(kernel.operands, layout, vectors);
  const { stores } = kernel.passes[0]!;
  const body = new Block(1);
  declareWorkItem(body, 'quad', items, workgroups);
  // The innermost axis counts vectors here, and elements in the loop over the four.
  declareAxes(body, range(quads.length), quads, 'quad');
  const vectorText = (index: Index): string => indexText(vectorIndex(index, inner), quads);
  const loaded = new Map<string, string>();
  const loads = scalarsIn(stores.map(({ value }) => value)).filter(
    (scalar): scalar is Extract<Scalar, { op: 'load' }> => scalar.op === 'load',
  );
  for (const { operand, index } of loads) {
    if (!vectors.has(layout.aliasOf[operand]!)) continue;
    const reference = operands.reference(operand, vectorText(index));
    if (loaded.has(reference)) continue;
    loaded.set(reference, `v${loaded.size}`);
    body.line(`let ${loaded.get(reference)!} = ${reference};`);
  }
  const results = stores.map(({ operand }, store) => {
    body.line(`var result${store}: vec4<${elementType(kernel.operands[operand]!.dtype)}>;`);
    return `result${store}`;
  });
  const lanes = body.open(`for (var element = 0; element < ${LANES}; element++)`);
  const column = axisName(inner);
  body.line(
    ...stores.map(
      ({ operand, index }, store) =>
        `${operands.reference(operand, vectorText(index))} = ${results[store]!};`,
    ),
  );
  const load = (operand: number, index: Index): string | null => {
    if (!vectors.has(layout.aliasOf[operand]!)) return null;
    return fromElement(
      kernel.operands[operand]!.dtype,
      `${loaded.get(operands.reference(operand, vectorText(index)))!}[element]`,
    );
  };
  const expressions = new ExpressionWriter(operands, extents, { load });
  lanes.line(`let ${column} = ${LANES} * ${column} + element;`);
  const scope = new Scope(lanes.insertionPoint(), range(extents.length));
  const values = expressions.write(
    stores.map(({ value }) => value),
    scope,
  );
  stores.forEach(({ operand }, store) =>
    scope.block.line(
      `${results[store]!}[element] = ${toElement(kernel.operands[operand]!.dtype, values[store]!)};`,
    ),
  );
  return shaderOf({ expressions, ...workgroups, body });
}
