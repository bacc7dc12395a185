/**
 * Scans: running sums and products, and linear recurrences. One invocation scans a row; or a workgroup does,
 * each of whose invocations has consecutive columns, and scans the totals of its invocations in workgroup
 * memory (Hillis and Steele, "Data parallel algorithms", 1986). Few rows are divided into chunks as well: a
 * dispatch of its own leaves the total of each chunk in working memory. Long sums are blocked, so that the
 * rounding error of n summands grows like √n. A linear recurrence is always scanned by one invocation: the
 * product of a chunk's coefficients may overflow where the recurrence does not.
 */
import type { ScanKernel } from '@firsthand/compiler';
import { sizeOf } from '@firsthand/linalg';
import { declareAxes, range } from '../emit/axes.ts';
import { Block } from '../emit/block.ts';
import { ExpressionWriter, extentsOf, Scope, type Surroundings } from '../emit/expression-writer.ts';
import { shaderOf } from '../emit/module.ts';
import { Operands } from '../emit/operands.ts';
import { accumulatorDType } from './reductions.ts';
import { declareWorkItem, workgroupsFor, type Workgroups } from './work-items.ts';
import type { AdapterProfile } from '../emit/profile.ts';
import { castExpression, reduceExpression, reduceIdentity, valueType } from '../scalar/operations.ts';
import type { OperandLayout, Shader, ShaderPlan } from '../emit/shader.ts';

/** Columns above which sums are blocked. */
const BLOCK = 32;
/** Rows that keep an adapter busy with one invocation each. */
const ENOUGH_ROWS = { software: 32, hardware: 8192 } as const;
/** Columns of a chunk, at least, where one invocation scans it. */
const LEAST_CHUNK_COLUMNS = 256;
/** Columns from which on a row may have a workgroup; columns of an invocation, then. */
const LONG_ROW = 64;
const COLUMNS_PER_LANE = { least: 4, most: 16 } as const;

/** How a scan is divided: chunks of a row, and invocations of a chunk. */
export interface ScanPartition {
  readonly chunks: number;
  readonly lanes: number;
}

/** Plans a scan. The total of each chunk is a word of working memory. */
export function planScan(kernel: ScanKernel, profile: AdapterProfile): ShaderPlan<ScanPartition> {
  const partition = partitionOf(kernel, profile);
  const { chunks } = partition;
  return {
    scratch: chunks === 1 ? 0 : 4 * chunks * sizeOf(kernel.rows),
    partition,
    emit: (layout) => {
      const scan = new ScanWriter(kernel, layout, partition).scan();
      return chunks === 1 ? [scan] : [new ScanWriter(kernel, layout, partition).reduceChunks(), scan];
    },
  };
}

function partitionOf(
  { scan, rows, count }: ScanKernel,
  { isSoftware, maxInvocations }: AdapterProfile,
): ScanPartition {
  if (scan === 'linear') return { chunks: 1, lanes: 1 };
  const rowCount = sizeOf(rows);
  if (rowCount >= ENOUGH_ROWS[isSoftware ? 'software' : 'hardware']) return { chunks: 1, lanes: 1 };
  if (isSoftware)
    return { chunks: chunksOf(count / LEAST_CHUNK_COLUMNS, (2 * ENOUGH_ROWS.software) / rowCount), lanes: 1 };
  if (count < LONG_ROW) return { chunks: 1, lanes: 1 };
  const wanted = Math.max(32, 2 ** Math.ceil(Math.log2(count / COLUMNS_PER_LANE.least)));
  const lanes = Math.min(maxInvocations, 256, wanted);
  return { chunks: chunksOf(count / (lanes * COLUMNS_PER_LANE.most), 1024 / rowCount), lanes };
}

/** As many chunks as the columns suffice for, but no more than are useful. */
function chunksOf(possible: number, useful: number): number {
  return Math.max(1, Math.min(Math.floor(possible), Math.ceil(useful)));
}

/** One shader of a scan. */
class ScanWriter {
  readonly #kernel: ScanKernel;
  readonly #partition: ScanPartition;
  readonly #workgroups: Workgroups;
  readonly #body = new Block(1);
  /** The scope of the row. */
  readonly #scope: Scope;
  readonly #surroundings: { total?: NonNullable<Surroundings['total']> } = {};
  readonly #expressions: ExpressionWriter;
  readonly #declarations: string[] = [];
  /** Columns of the invocation, at most; the text of their first, and of the end. */
  readonly #columns: number;
  readonly #first: string;
  readonly #end: string;

  constructor(kernel: ScanKernel, layout: OperandLayout, partition: ScanPartition) {
    const { rows, count, operands } = kernel;
    const { chunks, lanes } = partition;
    const items = sizeOf(rows) * chunks;
    const body = this.#body;
    this.#kernel = kernel;
    this.#partition = partition;
    const item = chunks === 1 ? 'row' : 'item';
    if (lanes === 1) {
      this.#workgroups = workgroupsFor(items);
      declareWorkItem(body, item, items, this.#workgroups);
    } else {
      // Below `ENOUGH_ROWS` rows, and about 1024 chunks in all: fewer than `GROUP_ROW`.
      this.#workgroups = { size: lanes, workgroups: items };
      body.line(`let ${item} = group;`);
    }
    if (chunks > 1) body.line(`let row = item / ${chunks};`, `let chunk = item % ${chunks};`);
    declareAxes(body, range(rows.length), rows, 'row');
    this.#scope = new Scope(body.insertionPoint(), range(rows.length));
    this.#expressions = new ExpressionWriter(
      new Operands(operands, layout),
      extentsOf(kernel),
      this.#surroundings,
    );
    const width = Math.ceil(count / chunks);
    this.#columns = Math.ceil(width / lanes);
    const isDivided = chunks * lanes > 1;
    this.#first = isDivided ? 'first' : '0';
    this.#end = isDivided ? 'end' : String(count);
    if (!isDivided) return;
    const [chunkStart, laneStart] = [`chunk * ${width}`, `lane * ${this.#columns}`];
    body.line(
      `let first = ${[...(chunks > 1 ? [chunkStart] : []), ...(lanes > 1 ? [laneStart] : [])].join(' + ')};`,
    );
    const ends = [
      ...(lanes > 1 ? [`first + ${this.#columns}`] : []),
      ...(chunks > 1 ? [`${chunkStart} + ${width}`] : []),
      String(count),
    ];
    body.line(`let end = ${ends.reduce((a, b) => `min(${a}, ${b})`)};`);
  }

  /** The shader that leaves the total of each chunk in working memory. */
  reduceChunks(): Shader {
    const body = this.#body;
    body.line(`var sum = ${this.#identity()};`);
    this.#loopOverColumns(false);
    const scratch = this.#expressions.operands.scratch();
    if (this.#partition.lanes > 1) this.#reduceLanes('chunk_total');
    const store = this.#partition.lanes === 1 ? body : body.open('if (lane == 0)');
    store.line(`${scratch}[item] = bitcast<u32>(${this.#partition.lanes === 1 ? 'sum' : 'chunk_total'});`);
    return this.#shader();
  }

  /** The shader that stores the running totals. */
  scan(): Shader {
    const { chunks, lanes } = this.#partition;
    const body = this.#body;
    body.line(`var sum = ${this.#identity()};`);
    if (chunks > 1) {
      const loop = body.open(
        `for (var other = ${lanes === 1 ? '0' : 'lane'}; other < chunk; other += ${lanes})`,
      );
      const word = `${this.#expressions.operands.scratch()}[item - chunk + other]`;
      loop.line(`sum = ${this.#combine('sum', `bitcast<${valueType(this.#kernel.dtype)}>(${word})`)};`);
    }
    if (lanes > 1) {
      if (chunks > 1) {
        this.#reduceLanes('before');
        body.line('workgroupBarrier();', `sum = ${this.#identity()};`);
      }
      this.#loopOverColumns(false);
      this.#scanLanes();
      body.line(`sum = ${chunks > 1 ? 'before' : this.#identity()};`);
      body.open('if (lane > 0)').line(`sum = ${this.#combine('sum', 'sums[lane - 1]')};`);
    }
    this.#loopOverColumns(true);
    return this.#shader();
  }

  /** Accumulates the columns of the invocation in `sum`. */
  #loopOverColumns(storesTotals: boolean): void {
    const { scan, rows, count, dtype, value, coefficient, stores } = this.#kernel;
    const axis = rows.length;
    const columns = this.#columns;
    const perBlock =
      scan === 'sum' && valueType(dtype) === 'f32' && columns > BLOCK
        ? 2 ** Math.ceil(Math.log2(columns) / 2)
        : 0;
    this.#scope.block = this.#body.insertionPoint();
    const outer =
      perBlock === 0
        ? null
        : this.#body.open(`for (var begin = ${this.#first}; begin < ${this.#end}; begin += ${perBlock})`);
    outer?.line(`var block_sum = ${this.#identity()};`);
    const [begin, end] =
      outer === null ? [this.#first, this.#end] : ['begin', `min(begin + ${perBlock}, ${this.#end})`];
    const inner = (outer ?? this.#body).open(`for (var column = ${begin}; column < ${end}; column++)`);
    declareAxes(inner, [axis], [count], 'column');
    const scope = new Scope(inner.insertionPoint(), [axis], this.#scope);
    const name = outer === null ? 'sum' : 'block_sum';
    const [text, multiplier] = this.#expressions.write(
      coefficient === null ? [value] : [value, coefficient],
      scope,
    );
    const before =
      multiplier === undefined
        ? name
        : this.#expressions.use(
            reduceExpression('prod', accumulatorDType(this.#kernel.dtype), name, multiplier),
          );
    scope.block.line(`${name} = ${this.#combine(before, text!)};`);
    if (storesTotals) {
      const running = outer === null ? 'sum' : this.#combine('sum', 'block_sum');
      const cast = castExpression(accumulatorDType(dtype), dtype, running);
      scope.block.line(`let total = ${dtype === 'float16' ? this.#expressions.use(cast) : running};`);
      this.#surroundings.total = { name: 'total', scope };
      this.#expressions.storeAll(stores, scope);
    }
    outer?.line(`sum = ${this.#combine('sum', 'block_sum')};`);
  }

  /** Reduces the `sum`s of the workgroup's invocations by a tree, to a variable. */
  #reduceLanes(name: string): void {
    const body = this.#body;
    this.#shareSums();
    const loop = body.open(`for (var width = ${this.#partition.lanes / 2}; width > 0; width /= 2)`);
    loop.open('if (lane < width)').line(`sums[lane] = ${this.#combine('sums[lane]', 'sums[lane + width]')};`);
    loop.line('workgroupBarrier();');
    body.line(`let ${name} = sums[0];`);
  }

  /** Scans the `sum`s of the workgroup's invocations, inclusively, in `sums`. */
  #scanLanes(): void {
    const body = this.#body;
    this.#shareSums();
    const loop = body.open(`for (var width = 1; width < ${this.#partition.lanes}; width *= 2)`);
    loop.line(`var left = ${this.#identity()};`);
    loop.open('if (lane >= width)').line('left = sums[lane - width];');
    loop.line(
      'workgroupBarrier();',
      `sums[lane] = ${this.#combine('left', 'sums[lane]')};`,
      'workgroupBarrier();',
    );
  }

  /** Writes each `sum` to workgroup memory. */
  #shareSums(): void {
    const type = valueType(this.#kernel.dtype);
    const declaration = `var<workgroup> sums: array<${type}, ${this.#partition.lanes}>;`;
    if (this.#declarations.length === 0) this.#declarations.push(declaration);
    this.#body.line('sums[lane] = sum;', 'workgroupBarrier();');
  }

  #identity(): string {
    return this.#expressions.use(reduceIdentity(this.#kind(), accumulatorDType(this.#kernel.dtype)));
  }
  #combine(a: string, b: string): string {
    return this.#expressions.use(reduceExpression(this.#kind(), accumulatorDType(this.#kernel.dtype), a, b));
  }
  /** The operator that combines two totals; a linear recurrence adds its terms. */
  #kind(): 'sum' | 'prod' {
    return this.#kernel.scan === 'prod' ? 'prod' : 'sum';
  }
  #shader(): Shader {
    return shaderOf({
      expressions: this.#expressions,
      ...this.#workgroups,
      body: this.#body,
      declarations: this.#declarations,
    });
  }
}
