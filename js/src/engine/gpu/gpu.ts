/** A graphics processor: buffers, kernels run one after the other, and what is read back. */
import { NoGpu } from "../words";
import { adapterFor } from "./adapter";
import { KERNELS, type KernelName } from "./kernels";

const THREADS = 64;
const MOST_GROUPS = 65535;
/** Uniform buffers lie this far apart, as every adapter allows. */
const SLOT = 256;
const SLOTS = 256;

export class Gpu {
  readonly #device: GPUDevice;
  readonly #pipelines = new Map<KernelName, GPUComputePipeline>();
  readonly #uniforms: GPUBuffer;
  /** Buffers that nobody has, by size. */
  readonly #free = new Map<number, GPUBuffer[]>();
  #slot = 0;
  #encoder: GPUCommandEncoder | null = null;
  #pass: GPUComputePassEncoder | null = null;
  #lost: string | null = null;

  private constructor(device: GPUDevice) {
    this.#device = device;
    const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
    this.#uniforms = device.createBuffer({ size: SLOT * SLOTS, usage });
    void device.lost.then(({ message }) => {
      this.#lost ??= message || "no reason was given";
    });
    device.addEventListener("uncapturederror", ({ error }) => {
      this.#lost ??= error.message;
      device.destroy();
    });
  }

  /** software: also processors that only pretend. Rejects with NoGpu. */
  static async open(software: boolean): Promise<Gpu> {
    const adapter = await adapterFor(software);
    const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
    const device = await adapter
      .requestDevice({ requiredLimits: { maxBufferSize, maxStorageBufferBindingSize } })
      .catch((reason) => {
        throw new NoGpu("gpu_closed", { why: reason.message });
      });
    const gpu = new Gpu(device);
    await gpu.#compile();
    return gpu;
  }

  async #compile(): Promise<void> {
    await Promise.all(
      Object.entries(KERNELS).map(async ([name, { code }]) => {
        const module = this.#device.createShaderModule({ code });
        const pipeline = await this.#device
          .createComputePipelineAsync({ layout: "auto", compute: { module } })
          .catch((reason) => {
            throw new NoGpu("gpu_kernel", { kernel: name, why: reason.message });
          });
        this.#pipelines.set(name as KernelName, pipeline);
      }),
    );
  }

  /** A buffer of at least so many numbers; what stands there is not defined. */
  take(count: number): GPUBuffer {
    const size = 2 ** Math.max(8, Math.ceil(Math.log2(4 * count)));
    return this.#free.get(size)?.pop() ?? this.#made(size);
  }

  /** Commands come in order: what was asked before still finds its numbers. */
  give(buffer: GPUBuffer): void {
    const others = this.#free.get(buffer.size);
    if (others) others.push(buffer);
    else this.#free.set(buffer.size, [buffer]);
  }

  /** Numbers put down in a buffer of their own. */
  keep(numbers: Float32Array | Int32Array): GPUBuffer {
    const buffer = this.#made(Math.max(16, numbers.byteLength));
    this.write(buffer, numbers);
    return buffer;
  }

  write(buffer: GPUBuffer, numbers: Float32Array | Int32Array): void {
    this.#submit(); // writing does not wait for commands that are not on their way
    this.#device.queue.writeBuffer(buffer, 0, numbers as GPUAllowSharedBufferSource);
  }

  #made(size: number): GPUBuffer {
    const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
    return this.#device.createBuffer({ size, usage: STORAGE | COPY_SRC | COPY_DST });
  }

  /** One thread for each of `count` numbers. */
  each(name: KernelName, buffers: GPUBuffer[], given: Record<string, number>, count: number): void {
    const groups = Math.min(MOST_GROUPS, Math.ceil(count / THREADS));
    if (groups > 0) this.run(name, buffers, given, [groups, 1, 1]);
  }

  run(
    name: KernelName,
    buffers: GPUBuffer[],
    given: Record<string, number>,
    groups: readonly [number, number, number],
  ): void {
    if (this.#slot === SLOTS) this.#submit();
    const numbers = KERNELS[name].params.map((param) => {
      const number = given[param];
      if (number === undefined) throw new Error(`${name}: no ${param}`);
      return number;
    });
    const at = SLOT * this.#slot++;
    this.#device.queue.writeBuffer(this.#uniforms, at, Int32Array.from(numbers));
    const pipeline = this.#pipelines.get(name) as GPUComputePipeline;
    const bound = this.#device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: [
        { binding: 0, resource: { buffer: this.#uniforms, offset: at, size: SLOT } },
        ...buffers.map((buffer, n) => ({ binding: n + 1, resource: { buffer } })),
      ],
    });
    this.#encoder ??= this.#device.createCommandEncoder();
    this.#pass ??= this.#encoder.beginComputePass();
    this.#pass.setPipeline(pipeline);
    this.#pass.setBindGroup(0, bound);
    this.#pass.dispatchWorkgroups(...groups);
  }

  #submit(): void {
    this.#pass?.end();
    if (this.#encoder) this.#device.queue.submit([this.#encoder.finish()]);
    [this.#encoder, this.#pass, this.#slot] = [null, null, 0];
  }

  /** What stands in a buffer once all that was asked is done. Rejects with NoGpu if it is lost. */
  async read(buffer: GPUBuffer, bytes: number): Promise<ArrayBuffer> {
    const size = Math.ceil(bytes / 4) * 4;
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    const landing = this.#device.createBuffer({ size: Math.max(4, size), usage });
    this.#submit();
    const encoder = this.#device.createCommandEncoder();
    if (size > 0) encoder.copyBufferToBuffer(buffer, 0, landing, 0, size);
    this.#device.queue.submit([encoder.finish()]);
    try {
      await landing.mapAsync(GPUMapMode.READ);
    } catch (reason) {
      throw new NoGpu("gpu_lost", { why: this.#lost ?? String(reason) });
    }
    if (this.#lost) throw new NoGpu("gpu_broken", { why: this.#lost });
    const copy = landing.getMappedRange().slice(0, bytes);
    landing.destroy();
    return copy;
  }
}
