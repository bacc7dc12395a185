/**
 * A small GPT (Radford et al. 2019, as in Karpathy's nanoGPT), written with this project's layers: pre-norm
 * blocks of causal attention and a two-layer network, learned positions, a head of its own without bias. B:
 * sequences, T: positions, C: channels, H: heads, V: vocabulary.
 */
import { attention, split, type Tensor } from '@firsthand/autograd';
import { Embedding, LayerNorm, Linear, Module, ModuleList } from '@firsthand/nn';
import type { GPTConfig } from './tasks.ts';

class Attention extends Module {
  readonly qkv: Linear;
  readonly projection: Linear;
  readonly #heads: number;

  constructor(channels: number, heads: number) {
    super();
    this.qkv = new Linear(channels, 3 * channels);
    this.projection = new Linear(channels, channels);
    this.#heads = heads;
  }

  forward(x: Tensor): Tensor {
    const [B, T, C] = x.shape as readonly [number, number, number];
    const [q, k, v] = split(this.qkv.forward(x), [C, C, C], -1).map(
      (part) => part.reshape(B, T, this.#heads, C / this.#heads).permute(0, 2, 1, 3), // (B, H, T, C/H)
    ) as [Tensor, Tensor, Tensor];
    const y = attention(q, k, v, { causal: true }); // (B, H, T, C/H)
    return this.projection.forward(y.permute(0, 2, 1, 3).reshape(B, T, C)); // (B, T, C)
  }
}

class Block extends Module {
  readonly norm1: LayerNorm;
  readonly attention: Attention;
  readonly norm2: LayerNorm;
  readonly expand: Linear;
  readonly contract: Linear;

  constructor({ channels, heads }: GPTConfig) {
    super();
    this.norm1 = new LayerNorm(channels);
    this.attention = new Attention(channels, heads);
    this.norm2 = new LayerNorm(channels);
    this.expand = new Linear(channels, 4 * channels);
    this.contract = new Linear(4 * channels, channels);
  }

  forward(x: Tensor): Tensor {
    const h = x.add(this.attention.forward(this.norm1.forward(x))); // (B, T, C)
    const wide = this.expand.forward(this.norm2.forward(h)).gelu('tanh'); // (B, T, 4C)
    return h.add(this.contract.forward(wide)); // (B, T, C)
  }
}

export class GPT extends Module {
  readonly tokens: Embedding;
  readonly positions: Embedding;
  readonly blocks: ModuleList<Block>;
  readonly norm: LayerNorm;
  readonly head: Linear;

  constructor(config: GPTConfig) {
    super();
    this.tokens = new Embedding(config.vocabulary, config.channels);
    this.positions = new Embedding(config.positions, config.channels);
    this.blocks = new ModuleList(Array.from({ length: config.layers }, () => new Block(config)));
    this.norm = new LayerNorm(config.channels);
    this.head = new Linear(config.channels, config.vocabulary, { bias: false });
  }

  /** index: (B, T) integers, T as configured. Result: the next token's logits, (B, T, V). */
  forward(index: Tensor): Tensor {
    let x = this.tokens.forward(index).add(this.positions.weight); // (B, T, C) + (T, C)
    for (const block of this.blocks) x = block.forward(x); // (B, T, C)
    return this.head.forward(this.norm.forward(x)); // (B, T, V)
  }
}
