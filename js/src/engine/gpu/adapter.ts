/** Whether there is a graphics processor that is worth asking. */
import { NoGpu } from "../graph";

/** software: also processors that only pretend. Rejects with NoGpu. */
export async function adapterFor(software: boolean): Promise<GPUAdapter> {
  if (typeof navigator === "undefined" || !navigator.gpu) {
    throw new NoGpu("This browser has no WebGPU.");
  }
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) throw new NoGpu("This machine has no graphics processor that WebGPU can use.");
  if (adapter.info.isFallbackAdapter && !software) {
    throw new NoGpu("This machine's graphics processor is simulated by the processor.");
  }
  return adapter;
}
