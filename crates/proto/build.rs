//! Generates the Rust types of `proto/` without a `protoc`.

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    let files = ["client", "cluster", "stored"]
        .map(|package| root.join(format!("anser/{package}/v1/{package}.proto")));
    println!("cargo:rerun-if-changed={}", root.display());
    let descriptors = protox::compile(files, [&root])?;
    prost_build::Config::new()
        .bytes(["."])
        // In one order, so that equal values have equal bytes.
        .btree_map(["."])
        // Large and rare answers do not make every answer large.
        .boxed(".anser.client.v1.Response.result.conversation")
        .boxed(".anser.client.v1.Response.result.created_conversation")
        .boxed(".anser.client.v1.Response.result.group")
        .boxed(".anser.client.v1.Response.result.group_joined")
        .compile_fds(descriptors)?;
    Ok(())
}
