// What app/figures/frame.py packed.

/** The header and the raw bytes after it. What is not deflated is there before the coming frame. */
export async function unpack(bytes) {
  const raw = bytes[0] ? await inflate(bytes.subarray(1)) : bytes.slice(1);
  const size = new DataView(raw.buffer).getUint32(0, true);
  return { header: JSON.parse(new TextDecoder().decode(raw.subarray(4, 4 + size))), cells: raw.subarray(4 + size) };
}

async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
