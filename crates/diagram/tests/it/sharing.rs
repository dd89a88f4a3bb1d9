//! Links into the page, and its picture as a file of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::browser::Browser;
use crate::page::with_browser;
use crate::shown::Shown;

#[test]
fn a_link_leads_to_what_was_shown() {
    let small = Shown::small_as("link-small");
    with_browser("link", |browser| {
        the_address_is_followed(browser, &small);
        garbage_is_passed_over(browser, &small);
        the_address_follows_the_reader(browser, &small);
        a_link_is_copied(browser, &small);
    });
}

fn the_address_is_followed(browser: &mut Browser, run: &Shown) {
    browser.open_at(
        &run.file,
        "#snapshot=2&step=57&straight&cut=2,3,1,9",
        1280,
        800,
    );
    assert!(browser.text("#status").starts_with("Step 57 of"));
    assert_eq!(
        browser.evaluate("byId('choice').selectedOptions[0].textContent"),
        "snapshot 2"
    );
    assert_eq!(browser.text("#straighten"), "As it happened");
    let upright = browser.evaluate(
        "new Set(RUN.snapshots[1].cut.map(event => drawn.moments[momentOf[event]].group.getBoundingClientRect())
            .map(box => Math.round(box.x + box.width / 2))).size",
    );
    assert_eq!(upright, 1);
    let handles =
        browser.evaluate("own.handles.map(it => it.getAttribute('aria-valuenow')).join()");
    assert_eq!(handles, "2,3,1,9");
    assert!(browser.text("#own-words").contains("consistent"));
    // The step reached is in sight.
    let line = browser.middle(".now").0;
    let stage = browser.evaluate("frame.getBoundingClientRect().toJSON()");
    let (left, width) = (
        stage["left"].as_f64().unwrap(),
        stage["width"].as_f64().unwrap(),
    );
    assert!(line > left && line < left + width, "{line} {stage}");
    // So is an address that is typed, or a link that is followed.
    browser.evaluate("location.hash = '#snapshot=1&step=3'");
    browser.until("byId('status').textContent.startsWith('Step 3 of')");
    assert_eq!(browser.text("#straighten"), "Straighten the cut");
    assert_eq!(
        browser.evaluate("byId('choice').selectedOptions[0].textContent"),
        "snapshot 1"
    );
    assert_eq!(browser.evaluate("byId('own-verdict').hidden"), true);
    browser.evaluate("location.hash = '#snapshot=none'");
    browser.until("byId('choice').value === ''");
}

/// Whatever is in the address, the page opens as it does without.
fn garbage_is_passed_over(browser: &mut Browser, run: &Shown) {
    let shown =
        "JSON.stringify([state.position, state.snapshot, state.isStraight, own.steps ?? null])";
    browser.open(&run.file, 1280, 800);
    let usual = browser.evaluate(shown);
    for garbage in [
        "#",
        "#step",
        "#step=0",
        "#step=-3&snapshot=-1",
        "#step=1e2&cut=1",
        "#step=99999999999999999999&snapshot=NaN",
        "#snapshot=7&cut=,,,",
        "#cut=1,2,3,4000",
        "#cut=1,2,3,4,5&cut=%zz",
        "#cut=1.5,2,x,-4",
        "#__proto__=1&constructor&=&&&",
        "#keys",
        "#%E0%A4%A",
        "#<img src=x onerror=alert(1)>",
    ] {
        browser.open_at(&run.file, garbage, 1280, 800);
        assert_eq!(browser.evaluate(shown), usual, "{garbage}");
        browser.assert_quiet();
    }
}

fn the_address_follows_the_reader(browser: &mut Browser, run: &Shown) {
    run.open(browser);
    let pages = browser.evaluate("history.length");
    assert_eq!(browser.evaluate("location.hash"), "");
    browser.key("End");
    browser.until("location.hash === `#snapshot=1&step=${moments.length}`");
    browser.evaluate("chooseSnapshot(1)");
    browser.until("location.hash.startsWith('#snapshot=2&step=')");
    let button = browser.middle("#straighten");
    browser.click(button);
    browser.until("location.hash.endsWith('&straight')");
    browser.key("c");
    browser.until("location.hash.endsWith(`&straight&cut=${own.steps}`)");
    browser.key("Home");
    browser.until("location.hash.endsWith(`&straight&cut=${own.steps}`) && own.steps[0] === 0");
    assert_eq!(
        browser.evaluate("history.length"),
        pages,
        "one page is one entry"
    );
    // What it says then leads there.
    let shown = "JSON.stringify([state.position, state.snapshot, state.isStraight, own.steps])";
    let (hash, before) = (browser.evaluate("location.hash"), browser.evaluate(shown));
    browser.open_at(&run.file, hash.as_str().unwrap(), 1280, 800);
    assert_eq!(browser.evaluate(shown), before);
}

fn a_link_is_copied(browser: &mut Browser, run: &Shown) {
    run.open(browser);
    browser.allow_saving(&std::env::temp_dir());
    browser.key("End");
    let button = browser.middle("#copy-link");
    browser.click(button);
    browser.until("byId('shared').textContent !== ''");
    assert_eq!(browser.text("#shared"), "Copied.");
    let copied = browser.evaluate("navigator.clipboard.readText()");
    let copied = copied.as_str().unwrap();
    assert!(
        copied.starts_with("file://") && copied.contains("#snapshot=1&step="),
        "{copied}"
    );
}

/// Alone, without the page and its style sheet, the saved picture has the pixels that were seen.
#[test]
fn the_picture_is_saved_as_it_is_shown() {
    let small = Shown::small_as("save-small");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("saved");
    with_browser("save", |browser| {
        browser.allow_saving(&folder);
        for (scheme, place) in [
            ("light", "#snapshot=1&step=20"),
            ("dark", "#snapshot=2&step=57&straight"),
            ("dark", "#snapshot=1&step=30&cut=2,3,1,9"),
        ] {
            let _ = fs::remove_dir_all(&folder);
            fs::create_dir_all(&folder).unwrap();
            browser.open_at(&small.file, place, 1280, 800);
            browser.prefer(&[
                ("prefers-color-scheme", scheme),
                ("prefers-reduced-motion", "reduce"),
            ]);
            the_picture_is_saved(browser, &folder, scheme);
        }
    });
    let _ = fs::remove_dir_all(&folder);
}

fn the_picture_is_saved(browser: &mut Browser, folder: &Path, scheme: &str) {
    // At whole pixels, so that both are drawn alike; and nothing under the pointer.
    browser.evaluate("document.activeElement.blur()");
    browser.mouse("mouseMoved", (1200.0, 700.0));
    browser.until("document.getAnimations().length === 0");
    let part = browser.evaluate(
        "(() => {
            const top = svg.getBoundingClientRect().top;
            document.querySelector('header').style.paddingTop = `${Math.ceil(top) - top}px`;
            const { x, y, width, height } = svg.getBoundingClientRect();
            return [x, y, Math.floor(width), Math.floor(height)];
        })()",
    );
    let part: [f64; 4] = serde_json::from_value(part).unwrap();
    let [x, y, width, height] = part;
    let seen = browser.picture(x, y, width, height);
    let ground = browser.evaluate("getComputedStyle(document.body).backgroundColor");
    let step = browser.evaluate("state.position + 1");
    for ending in ["svg", "png"] {
        let button = browser.middle(&format!("#save-{ending}"));
        browser.click(button);
        browser.until(&format!(
            "byId('shared').textContent === 'Saved as save-small-step-{step}.{ending}.'"
        ));
    }
    let file = saved(
        &folder.join(format!("save-small-step-{step}.svg")),
        b"</svg>",
    );
    let text = fs::read_to_string(&file).unwrap();
    for absent in [
        "var(",
        "class=",
        "<style",
        "style=",
        "currentColor",
        "href",
        "tabindex",
    ] {
        assert!(!text.contains(absent), "{absent} is in the picture");
    }
    let png = saved(
        &folder.join(format!("save-small-step-{step}.png")),
        b"IEND\xae\x42\x60\x82",
    );
    let png = encoded(&fs::read(png).unwrap());
    let twice = [2.0 * width, 2.0 * height];
    // As a reader who prefers the other colours opens it.
    browser.open(&file, 1280, 800);
    browser.prefer(&[(
        "prefers-color-scheme",
        if scheme == "dark" { "light" } else { "dark" },
    )]);
    let alone = browser.picture(0.0, 0.0, width, height);
    let small = Path::new(env!("CARGO_TARGET_TMPDIR")).join("save-small.html");
    browser.open(&small, 1280, 800);
    let compared = browser.evaluate(&format!(
        "(async () => {{
            const pixels = async (base64, size) => {{
                const bytes = Uint8Array.from(atob(base64), it => it.charCodeAt(0));
                const image = await createImageBitmap(new Blob([bytes], {{type: 'image/png'}}));
                const [width, height] = size ?? [image.width, image.height];
                const canvas = new OffscreenCanvas(width, height);
                const context = canvas.getContext('2d');
                context.drawImage(image, 0, 0, width, height);
                return {{ size: [image.width, image.height], data: context.getImageData(0, 0, width, height).data }};
            }};
            const [seen, alone] = [await pixels({seen}), await pixels({alone})];
            const png = await pixels({png}, seen.size);
            const apart = other => {{
                let count = 0;
                for (let at = 0; at < seen.data.length; at += 1) {{
                    if (Math.abs(seen.data[at] - other.data[at]) > 64) count += 1;
                }}
                return count;
            }};
            const first = seen.data.slice(0, 3).join(', ');
            const colours = new Set();
            for (let at = 0; at < alone.data.length; at += 4) colours.add(alone.data.slice(at, at + 3).join());
            return {{ svg: apart(alone), png: apart(png), size: png.size, first, colours: colours.size,
                all: seen.data.length }};
        }})()",
        seen = json!(seen),
        alone = json!(alone),
        png = json!(png),
    ));
    let all = compared["all"].as_u64().unwrap();
    assert!(
        compared["svg"].as_u64().unwrap() * 10_000 < all,
        "{compared}"
    );
    // It is drawn larger, and its edges are smoother.
    assert!(compared["png"].as_u64().unwrap() * 200 < all, "{compared}");
    let size: Vec<f64> = serde_json::from_value(compared["size"].clone()).unwrap();
    assert!(
        (size[0] - twice[0]).abs() < 3.0 && (size[1] - twice[1]).abs() < 3.0,
        "{compared}"
    );
    assert_eq!(
        ground,
        format!("rgb({})", compared["first"].as_str().unwrap())
    );
    assert!(compared["colours"].as_u64().unwrap() > 20, "{compared}");
}

/// Waits until a file is there as a whole; the deadline is hit only when something hangs.
fn saved(file: &Path, end: &[u8]) -> PathBuf {
    let until = Instant::now() + Duration::from_secs(60);
    while !fs::read(file).is_ok_and(|bytes| bytes.ends_with(end)) {
        assert!(Instant::now() < until, "{} was not saved", file.display());
        std::thread::yield_now();
    }
    file.to_owned()
}

/// In base 64.
fn encoded(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for bytes in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits: usize, at| {
            bits << 8 | usize::from(bytes.get(at).copied().unwrap_or(0))
        });
        for digit in 0..4 {
            let is_padding = digit > bytes.len();
            text.push(if is_padding {
                '='
            } else {
                char::from(DIGITS[bits >> (18 - 6 * digit) & 63])
            });
        }
    }
    text
}
