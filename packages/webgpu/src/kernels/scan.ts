/**
 * Running sums and products, and linear recurrences. A row is swept by one invocation; or by a workgroup,
 * each of whose invocations has a stretch of columns, and scans the sums of the stretches in workgroup memory
 * (Hillis and Steele, "Data parallel algorithms", 1986). Where rows are few they are cut in parts besides,
 * whose sums a shader of its own leaves in working memory. Long stretches add up in blocks, so that the
 * rounding errors of n summands grow like √n. A linear recurrence is swept by one invocation always: what a
 * stretch makes of the total before it would overflow where the recurrence itself does not.
 */
import type { ScanKernel } from '@firsthand/compiler';
import { sizeOf } from '@firsthand/linalg';
import { declareAxes, range } from '../emit/axes.ts';
import { Block } from '../emit/block.ts';
import { ExpressionWriter, extentsOf, Scope, type Surroundings } from '../emit/expression-writer.ts';
import { shaderOf } from '../emit/module.ts';
import { Operands } from '../emit/operands.ts';
import { declareWorkItem, workgroupsFor, type Workgroups } from './work-items.ts';
import type { AdapterProfile } from '../emit/profile.ts';
import { castExpression, reduceExpression, reduceIdentity, valueType } from '../scalar/operations.ts';
import type { OperandLayout, Shader } from '../emit/shader.ts';
import { storeAll } from './row-loop.ts';

/** Columns that are added up without blocks. */
const BLOCK = 32;
/** Rows that keep an adapter busy when each has one invocation. */
const ENOUGH_ROWS = { software: 32, hardware: 8192 } as const;
/** Columns of a part at the least, where an invocation has it. */
const LEAST_CHUNK_COLUMNS = 256;
/**
 * Columns of a row that are worth a workgroup, and those that each of its invocations should have, at the
 * least and at the most.
 */
const GROUP_COLUMNS = 64;
const COLUMNS_PER_LANE = { least: 4, most: 16 } as const;

/** How a row is shared out: in parts, each of which one invocation has, or a workgroup. */
interface ScanPlan {
  readonly chunks: number;
  /** Invocations of a part. */
  readonly lanes: number;
}

function planOf(
  { scan: fold, rows, count }: ScanKernel,
  { isSoftware, maxInvocations }: AdapterProfile,
): ScanPlan {
  if (fold === 'linear') return { chunks: 1, lanes: 1 };
  const rowCount = sizeOf(rows);
  if (rowCount >= ENOUGH_ROWS[isSoftware ? 'software' : 'hardware']) return { chunks: 1, lanes: 1 };
  if (isSoftware)
    return { chunks: cut(count / LEAST_CHUNK_COLUMNS, (2 * ENOUGH_ROWS.software) / rowCount), lanes: 1 };
  if (count < GROUP_COLUMNS) return { chunks: 1, lanes: 1 };
  const lanes = Math.min(
    maxInvocations,
    256,
    Math.max(32, 2 ** Math.ceil(Math.log2(count / COLUMNS_PER_LANE.least))),
  );
  return { chunks: cut(count / (lanes * COLUMNS_PER_LANE.most), 1024 / rowCount), lanes };
}

/** As many parts as the columns suffice for, but no more than are of use. */
function cut(possible: number, useful: number): number {
  return Math.max(1, Math.min(Math.floor(possible), Math.ceil(useful)));
}

/** Words of working memory that a kernel needs: the total of each part. */
export function scanScratchWords(kernel: ScanKernel, profile: AdapterProfile): number {
  const { chunks } = planOf(kernel, profile);
  return chunks === 1 ? 0 : chunks * sizeOf(kernel.rows);
}

/** The shaders of a scan kernel. */
export function scanShaders(
  kernel: ScanKernel,
  layout: OperandLayout,
  profile: AdapterProfile,
): readonly Shader[] {
  const plan = planOf(kernel, profile);
  const writers = Array.from(
    { length: plan.chunks === 1 ? 1 : 2 },
    () => new ScanWriter(kernel, layout, plan),
  );
  return writers.map((writer, place) =>
    place === writers.length - 1 ? writer.scan() : writer.reduceChunks(),
  );
}

/** One shader of a scan. */
class ScanWriter {
  readonly #kernel: ScanKernel;
  readonly #plan: ScanPlan;
  readonly #workgroups: Workgroups;
  readonly #body = new Block(1);
  /** The row's. */
  readonly #scope: Scope;
  readonly #surroundings: { total?: NonNullable<Surroundings['total']> } = {};
  readonly #expressions: ExpressionWriter;
  readonly #declarations: string[] = [];
  /** Columns of the invocation: at most so many, and their bounds. */
  readonly #columns: number;
  readonly #first: string;
  readonly #end: string;

  constructor(kernel: ScanKernel, layout: OperandLayout, plan: ScanPlan) {
    const { rows, count, operands } = kernel;
    const { chunks, lanes } = plan;
    const items = sizeOf(rows) * chunks;
    const body = this.#body;
    this.#kernel = kernel;
    this.#plan = plan;
    const piece = chunks === 1 ? 'row' : 'piece';
    if (lanes === 1) {
      this.#workgroups = workgroupsFor(items);
      declareWorkItem(body, piece, items, this.#workgroups);
    } else {
      // Fewer than a dispatch has along one dimension.
      this.#workgroups = { size: lanes, workgroups: items };
      body.line(`let ${piece} = group;`);
    }
    if (chunks > 1) body.line(`let row = piece / ${chunks};`, `let part = piece % ${chunks};`);
    declareAxes(body, 0, rows, 'row');
    this.#scope = new Scope(body.insertionPoint(), range(rows.length));
    this.#expressions = new ExpressionWriter(
      new Operands(operands, layout),
      extentsOf(kernel),
      this.#surroundings,
    );
    const width = Math.ceil(count / chunks);
    this.#columns = Math.ceil(width / lanes);
    const isCut = chunks * lanes > 1;
    this.#first = isCut ? 'first' : '0';
    this.#end = isCut ? 'end' : String(count);
    if (!isCut) return;
    const [start, own] = [`part * ${width}`, `lane * ${this.#columns}`];
    body.line(`let first = ${[...(chunks > 1 ? [start] : []), ...(lanes > 1 ? [own] : [])].join(' + ')};`);
    const ends = [
      ...(lanes > 1 ? [`first + ${this.#columns}`] : []),
      ...(chunks > 1 ? [`${start} + ${width}`] : []),
      String(count),
    ];
    body.line(`let end = ${ends.reduce((a, b) => `min(${a}, ${b})`)};`);
  }

  /** Leaves the total of each part in working memory. */
  reduceChunks(): Shader {
    const body = this.#body;
    body.line(`var sum = ${this.#start()};`);
    this.#loopOverColumns(false);
    const scratch = this.#expressions.operands.scratch();
    if (this.#plan.lanes > 1) this.#reduceLanes('whole');
    const store = this.#plan.lanes === 1 ? body : body.open('if (lane == 0)');
    store.line(`${scratch}[piece] = bitcast<u32>(${this.#plan.lanes === 1 ? 'sum' : 'whole'});`);
    return this.#shader();
  }

  /** Stores what has the running totals. */
  scan(): Shader {
    const { chunks, lanes } = this.#plan;
    const body = this.#body;
    body.line(`var sum = ${this.#start()};`);
    if (chunks > 1) {
      const loop = body.open(
        `for (var other = ${lanes === 1 ? '0' : 'lane'}; other < part; other += ${lanes})`,
      );
      const word = `${this.#expressions.operands.scratch()}[piece - part + other]`;
      loop.line(`sum = ${this.#combine('sum', `bitcast<${valueType(this.#kernel.dtype)}>(${word})`)};`);
    }
    if (lanes > 1) {
      if (chunks > 1) {
        this.#reduceLanes('before');
        body.line('workgroupBarrier();', `sum = ${this.#start()};`);
      }
      this.#loopOverColumns(false);
      this.#scanLanes();
      body.line(`sum = ${chunks > 1 ? 'before' : this.#start()};`);
      body.open('if (lane > 0)').line(`sum = ${this.#combine('sum', 'sums[lane - 1]')};`);
    }
    this.#loopOverColumns(true);
    return this.#shader();
  }

  /** Folds the columns of the invocation into `sum`. */
  #loopOverColumns(isStoring: boolean): void {
    const { scan: fold, rows, count, dtype, value, coefficient: factor, stores } = this.#kernel;
    const axis = rows.length;
    const columns = this.#columns;
    const perBlock =
      fold === 'sum' && valueType(dtype) === 'f32' && columns > BLOCK
        ? 2 ** Math.ceil(Math.log2(columns) / 2)
        : 0;
    this.#scope.block = this.#body.insertionPoint();
    const outer =
      perBlock === 0
        ? null
        : this.#body.open(`for (var begin = ${this.#first}; begin < ${this.#end}; begin += ${perBlock})`);
    outer?.line(`var recent = ${this.#start()};`);
    const [begin, end] =
      outer === null ? [this.#first, this.#end] : ['begin', `min(begin + ${perBlock}, ${this.#end})`];
    const inner = (outer ?? this.#body).open(`for (var column = ${begin}; column < ${end}; column++)`);
    declareAxes(inner, axis, [count], 'column');
    const scope = new Scope(inner.insertionPoint(), [axis], this.#scope);
    const name = outer === null ? 'sum' : 'recent';
    const [text, multiplier] = this.#expressions.write(factor === null ? [value] : [value, factor], scope);
    const before =
      multiplier === undefined
        ? name
        : this.#expressions.use(reduceExpression('prod', this.#accumulatorDType(), name, multiplier));
    scope.block.line(`${name} = ${this.#combine(before, text!)};`);
    if (isStoring) {
      const running = outer === null ? 'sum' : this.#combine('sum', 'recent');
      scope.block.line(
        `let total = ${dtype === 'float16' ? this.#expressions.use(castExpression('float32', 'float16', running)) : running};`,
      );
      this.#surroundings.total = { name: 'total', scope };
      storeAll(this.#expressions, stores, scope);
    }
    outer?.line(`sum = ${this.#combine('sum', 'recent')};`);
  }

  /** Folds the `sum` of all invocations of the workgroup into a name. */
  #reduceLanes(name: string): void {
    const body = this.#body;
    this.#share();
    const loop = body.open(`for (var width = ${this.#plan.lanes / 2}; width > 0; width /= 2)`);
    loop.open('if (lane < width)').line(`sums[lane] = ${this.#combine('sums[lane]', 'sums[lane + width]')};`);
    loop.line('workgroupBarrier();');
    body.line(`let ${name} = sums[0];`);
  }

  /** Makes the `sums` of the invocations running sums. */
  #scanLanes(): void {
    const body = this.#body;
    this.#share();
    const loop = body.open(`for (var width = 1; width < ${this.#plan.lanes}; width *= 2)`);
    loop.line(`var left = ${this.#start()};`);
    loop.open('if (lane >= width)').line('left = sums[lane - width];');
    loop.line(
      'workgroupBarrier();',
      `sums[lane] = ${this.#combine('left', 'sums[lane]')};`,
      'workgroupBarrier();',
    );
  }

  /** Shows each `sum` to the other invocations. */
  #share(): void {
    const declaration = `var<workgroup> sums: array<${valueType(this.#kernel.dtype)}, ${this.#plan.lanes}>;`;
    if (this.#declarations.length === 0) this.#declarations.push(declaration);
    this.#body.line('sums[lane] = sum;', 'workgroupBarrier();');
  }

  #start(): string {
    return this.#expressions.use(reduceIdentity(this.#kind(), this.#accumulatorDType()));
  }
  #combine(a: string, b: string): string {
    return this.#expressions.use(reduceExpression(this.#kind(), this.#accumulatorDType(), a, b));
  }
  /** How two totals become one; a linear recurrence adds its terms. */
  #kind(): 'sum' | 'prod' {
    return this.#kernel.scan === 'prod' ? 'prod' : 'sum';
  }
  /** Half precision is kept in single precision until it is stored. */
  #accumulatorDType(): ScanKernel['dtype'] {
    return this.#kernel.dtype === 'float16' ? 'float32' : this.#kernel.dtype;
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
