/**
 * Kernels as text: loops, and what they compute, with arrays named a, b, … in the order of the operands. The
 * text leaves nothing out: kernels with equal texts compute the same bits from the same arrays.
 */
import { axisName, Expressions, operandName, printIndex, printPosition } from './print-expression.ts';
import type {
  ImplicitMatrix,
  Kernel,
  KernelKind,
  LoopKernel,
  Operand,
  RowLoops,
  Store,
  StoredMatrix,
  WholeArray,
} from '../ir/kernel.ts';

type KernelOf<K extends KernelKind> = Extract<Kernel, { readonly kind: K }>;

/**
 * A kernel as text.
 * @returns lines without a final line break
 */
export function printKernel(kernel: Kernel): string {
  const text = new Text();
  (PRINT[kernel.kind] as (kernel: Kernel, expressions: Expressions, text: Text) => void)(
    kernel,
    new Expressions(kernel),
    text,
  );
  return text.toString();
}

/** Lines, indented by the loops around them. */
class Text {
  readonly #lines: string[] = [];
  #depth = 0;

  header(title: string, operands: readonly Operand[]): void {
    const list = operands.map(
      ({ dtype, length, access }, operand) => `${operandName(operand)}: ${dtype}[${length}] ${access}`,
    );
    this.line(`${title} (${list.join(', ')})`);
  }
  line(line: string): void {
    this.#lines.push('  '.repeat(this.#depth) + line);
  }
  /** A loop over the axes from `first` on; without axes its body stands where the loop would. */
  loop(extents: readonly number[], first: number, body: () => void): void {
    if (extents.length === 0) return body();
    this.line(`for ${extents.map((extent, k) => range(first + k, extent)).join(', ')}`);
    this.#depth++;
    body();
    this.#depth--;
  }
  toString(): string {
    return this.#lines.join('\n');
  }
}

function range(axis: number, extent: number): string {
  return `${axisName(axis)} in 0..${extent}`;
}

function stored({ operand, index }: Store, value: string): string {
  return `${operandName(operand)}[${printIndex(index)}] = ${value}`;
}

function printStores(stores: readonly Store[], expressions: Expressions, text: Text): void {
  const { lines, texts } = expressions.print(stores.map(({ value }) => value));
  for (const line of lines) text.line(line);
  stores.forEach((store, position) => text.line(stored(store, texts[position]!)));
}

/** Prints the passes over a row and the stores after them. */
function printRowLoops(
  first: number,
  { columns, passes, reductions, rowStores }: RowLoops,
  expressions: Expressions,
  text: Text,
): void {
  for (const pass of passes) {
    text.loop(columns, first, () => {
      const reduced = pass.reductions.map((number) => reductions[number]!);
      const { lines, texts } = expressions.print([...reduced, ...pass.stores].map(({ value }) => value));
      for (const line of lines) text.line(line);
      pass.reductions.forEach((number, position) => {
        const { kind, dtype, value } = reductions[number]!;
        const expected = kind === 'argmax' || kind === 'argmin' ? 'int32' : value.dtype;
        text.line(`r${number}${dtype === expected ? '' : `: ${dtype}`} = ${kind} ${texts[position]}`);
      });
      pass.stores.forEach((store, position) => text.line(stored(store, texts[reduced.length + position]!)));
    });
  }
  printStores(rowStores, expressions, text);
}

/**
 * The title of a loop kernel: without reductions a map, with one pass a reduction, with several a row kernel.
 */
function titleOf({ reductions, passes }: LoopKernel): string {
  return reductions.length === 0 ? 'map' : passes.length === 1 ? 'reduce' : 'row';
}

const PRINT: {
  readonly [K in KernelKind]: (kernel: KernelOf<K>, expressions: Expressions, text: Text) => void;
} = {
  loop: (kernel, expressions, text) => {
    const { operands, rows } = kernel;
    text.header(titleOf(kernel), operands);
    text.loop(rows, 0, () => printRowLoops(rows.length, kernel, expressions, text));
  },
  contract: ({ operands, batch, m, n, k, dtype, a, b, stores, rowEpilogue }, expressions, text) => {
    const rows = [...batch, m];
    const inner = range(rows.length + 1, k);
    text.header('contract', operands);
    const element = (matrix: StoredMatrix | ImplicitMatrix, name: string): string =>
      'value' in matrix ? name : `${operandName(matrix.operand)}[${printIndex(matrix.index)}]`;
    for (const [matrix, name, sizes] of [
      [a, 'left', [m, k]],
      [b, 'right', [k, n]],
    ] as const) {
      if (!('value' in matrix)) continue;
      text.line(`${name}[${[...batch, ...sizes].join(', ')}]:`);
      text.loop([...batch, ...matrix.inner, ...matrix.outer], 0, () => {
        const { lines, texts } = expressions.print([matrix.value]);
        for (const line of lines) text.line(line);
        text.line(`${name} = ${texts[0]}`);
      });
    }
    const total = (): void => {
      text.line(`total: ${dtype} = sum over ${inner} of ${element(a, 'left')} · ${element(b, 'right')}`);
      printStores(stores, expressions, text);
    };
    if (rowEpilogue === null) {
      text.loop([...rows, n], 0, total);
      return;
    }
    text.loop(rows, 0, () => {
      text.loop([n], rows.length, total);
      printRowLoops(rows.length, rowEpilogue, expressions, text);
    });
  },
  scan: ({ scan, operands, rows, count, dtype, value, coefficient: matrix, stores }, expressions, text) => {
    text.header('scan', operands);
    text.loop([...rows, count], 0, () => {
      const { lines, texts } = expressions.print(matrix === null ? [value] : [value, matrix]);
      for (const line of lines) text.line(line);
      const step =
        scan === 'linear'
          ? `= ${texts[1]} · total + ${texts[0]}`
          : `${scan === 'sum' ? '+=' : '·='} ${texts[0]}`;
      text.line(`total: ${dtype} ${step}`);
      printStores(stores, expressions, text);
    });
  },
  scatter: (
    { operands, extents, mode, target, index, position, stride, extent, value },
    expressions,
    text,
  ) => {
    text.header(`scatter ${mode}`, operands);
    text.loop(extents, 0, () => {
      const { lines, texts } = expressions.print([position, value]);
      for (const line of lines) text.line(line);
      const element = printPosition(index, stride, texts[0]!, extent);
      text.line(`${operandName(target)}[${element}] ${mode === 'add' ? '+=' : '='} ${texts[1]}`);
    });
  },
  sort: ({ operands, rows, count, descending, value, target }, expressions, text) => {
    text.header(`sort ${descending ? 'descending' : 'ascending'}`, operands);
    text.loop([...rows, count], 0, () => {
      const { lines, texts } = expressions.print([value]);
      for (const line of lines) text.line(line);
      text.line(`${operandName(target.operand)}[${printIndex(target.index)}] = position of ${texts[0]}`);
    });
  },
  custom: ({ operands, composite, attrs, inputs, outputs }, _, text) => {
    text.header('custom', operands);
    const list = (arrays: readonly WholeArray[]): string =>
      arrays.map(({ operand, shape }) => `${operandName(operand)}[${shape.join(', ')}]`).join(', ');
    text.line(`${list(outputs)} = ${composite.name} ${JSON.stringify(attrs)} of ${list(inputs)}`);
  },
};
