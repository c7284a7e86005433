//! The image format by itself, without files being replaced: reading, appending, rebuilding.

#![expect(
    missing_docs,
    reason = "the macros of criterion make undocumented functions"
)]
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that fails has nothing to clean up"
)]

use std::fs::File;
use std::hint::black_box;
use std::io::{Seek, Write};

use baleen::initrd::append::{NewFile, entry, find_overlay, overlay};
use baleen::initrd::find::find;
use baleen::initrd::rebuild::{Edit, rebuild};
use baleen::initrd::{FileRange, Layout};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flate2::{Compression, GzBuilder};

const SCRIPT: &str = "etc/init.d/docker";
/// Unpacked size of the image, in bytes: enough that no cache holds it.
const SIZE: usize = 64 << 20;

/// An image of one gzip member whose bytes compress about as programs do.
fn image() -> (File, u64) {
    let mut state = 1_u64;
    let program: Vec<u8> = (0..SIZE)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 59) as u8
        })
        .collect();
    let file = |name, body| NewFile {
        name,
        mode: 0o100_755,
        uid: 0,
        gid: 0,
        mtime: 0,
        body,
    };
    let mut gzip = GzBuilder::new().write(Vec::new(), Compression::fast());
    for file in [
        file("usr/bin/dockerd", &program),
        file(SCRIPT, b"#!/sbin/openrc-run\n"),
    ] {
        gzip.write_all(&entry(&file).unwrap()).unwrap();
    }
    let bytes = cpio::newc::trailer(gzip).unwrap().finish().unwrap();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&bytes).unwrap();
    (file, bytes.len() as u64)
}

fn read(file: &File, length: u64) -> (Layout, u64) {
    let (layout, found) =
        find(FileRange::new(file, 0, length), SCRIPT.as_bytes(), 1 << 20).unwrap();
    (layout, found.unwrap().number)
}

fn images(criterion: &mut Criterion) {
    let (file, length) = image();
    let mut group = criterion.benchmark_group("image of 64 MiB unpacked");
    group
        .throughput(Throughput::Bytes(SIZE as u64))
        .sample_size(10);
    group.bench_function("find the script", |bencher| {
        bencher.iter(|| read(&file, length));
    });
    let (layout, number) = read(&file, length);
    group.bench_function("rebuild", |bencher| {
        let edit = Edit {
            entry: number,
            after: number,
            body: b"#!/sbin/openrc-run\nexport x=y\n",
            added: &[],
            label: "bench",
        };
        let mut out = tempfile::tempfile().unwrap();
        bencher.iter(|| {
            out.rewind().unwrap();
            rebuild(&file, &layout, &edit, &mut out, &|_| {}).unwrap();
        });
    });
    group.finish();

    let mut group = criterion.benchmark_group("overlay");
    let files = [NewFile {
        name: SCRIPT,
        mode: 0o100_755,
        uid: 0,
        gid: 0,
        mtime: 0,
        body: &[b'#'; 4096],
    }];
    group.bench_function("make", |bencher| {
        bencher.iter(|| overlay("bench", black_box(&files)).unwrap());
    });
    group.bench_function("look for one that is not there", |bencher| {
        bencher.iter(|| find_overlay(&file, length, "bench").unwrap());
    });
    group.finish();
}

criterion_group!(benches, images);
criterion_main!(benches);
