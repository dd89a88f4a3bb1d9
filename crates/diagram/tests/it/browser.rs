//! A real browser for tests: Chromium without a window, spoken to over a pair of pipes in the
//! DevTools protocol (JSON texts, each ended by a zero byte). No socket, no port, no driver.
//!
//! Nothing here waits without a deadline, and the browser ends when its pipes are closed, however
//! the test ends.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// For any one thing that the browser is asked to do. It is hit only when something hangs.
const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) struct Browser {
    child: Child,
    input: ChildStdin,
    output: Receiver<Value>,
    profile: PathBuf,
    last: u64,
    session: Option<String>,
    doing: &'static str,
    /// What went wrong in the page: errors, warnings, dialogs, requests to anything beyond files.
    problems: Vec<String>,
}

impl Browser {
    /// Starts Chromium; `None` where there is none.
    pub(crate) fn start(name: &str) -> Option<Self> {
        let program = ["chromium", "chromium-browser", "google-chrome"]
            .into_iter()
            .find_map(in_path)?;
        let profile = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let profile = profile.join(format!("{name}-{}", std::process::id()));
        // The protocol is spoken on descriptors 3 and 4. What is opened are files of this test
        // only, so that nothing is lost without the sandbox, which root cannot have.
        let mut child = Command::new("sh")
            .args([
                "-c",
                r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1"#,
            ])
            .arg(program)
            .args(["--headless=new", "--no-sandbox", "--disable-gpu"])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
            ])
            .args([
                "--no-first-run",
                "--disable-dev-shm-usage",
                "--remote-debugging-pipe",
            ])
            .arg(format!("--user-data-dir={}", profile.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let (sender, output) = mpsc::channel();
        thread::spawn(move || {
            let mut text = Vec::new();
            while lines.read_until(0, &mut text).is_ok_and(|read| read > 0) {
                text.pop();
                let sent = serde_json::from_slice(&text).map(|message| sender.send(message));
                if !matches!(sent, Ok(Ok(()))) {
                    break;
                }
                text.clear();
            }
        });
        Some(Self {
            child,
            input,
            output,
            profile,
            last: 0,
            session: None,
            doing: "",
            problems: Vec::new(),
        })
    }

    /// Opens a file in a tab of this size; only that is spoken to from then on.
    pub(crate) fn open(&mut self, file: &Path, width: u32, height: u32) {
        self.open_at(file, "", width, height);
    }

    /// The same at a place in it, as `#step=3`.
    pub(crate) fn open_at(&mut self, file: &Path, place: &str, width: u32, height: u32) {
        self.go(&format!("file://{}{place}", file.display()), width, height);
    }

    /// The same for any address.
    pub(crate) fn go(&mut self, url: &str, width: u32, height: u32) {
        if let Some(session) = self.session.take() {
            let info = self.call("Target.getTargets", json!({}));
            for target in info["targetInfos"].as_array().unwrap() {
                if target["type"] == "page" && target["attached"] == true {
                    let target = json!({"targetId": target["targetId"]});
                    self.call("Target.closeTarget", target);
                }
            }
            drop(session);
        }
        let target = self.call("Target.createTarget", json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let session = self.call("Target.attachToTarget", attach);
        self.session = Some(session["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page", "Runtime", "Log", "Network"] {
            self.call(&format!("{domain}.enable"), json!({}));
        }
        self.resize(width, height);
        self.call("Page.navigate", json!({"url": url}));
        self.until("document.readyState === 'complete' && location.protocol !== 'about:'");
    }

    pub(crate) fn resize(&mut self, width: u32, height: u32) {
        let mobile = width < 500;
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile,
        });
        self.call("Emulation.setDeviceMetricsOverride", metrics);
        self.call(
            "Emulation.setTouchEmulationEnabled",
            json!({"enabled": mobile}),
        );
    }

    /// Sets what the reader prefers, as `prefers-color-scheme: dark`.
    pub(crate) fn prefer(&mut self, features: &[(&str, &str)]) {
        let features: Vec<Value> = features
            .iter()
            .map(|(name, value)| json!({"name": name, "value": value}))
            .collect();
        self.call("Emulation.setEmulatedMedia", json!({"features": features}));
    }

    /// Lets pages save files in a folder, and use the clipboard.
    pub(crate) fn allow_saving(&mut self, folder: &Path) {
        let how = json!({"behavior": "allow", "downloadPath": folder.display().to_string()});
        self.call("Browser.setDownloadBehavior", how);
        let what = json!({"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]});
        self.call("Browser.grantPermissions", what);
    }

    /// What is seen in a part of the page, as PNG in base 64.
    pub(crate) fn picture(&mut self, x: f64, y: f64, width: f64, height: f64) -> String {
        let clip = json!({"x": x, "y": y, "width": width, "height": height, "scale": 1});
        let picture = json!({"format": "png", "clip": clip});
        let picture = self.call("Page.captureScreenshot", picture);
        picture["data"].as_str().unwrap().to_owned()
    }

    /// The value of an expression in the page.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let question = json!({
            "expression": expression, "returnByValue": true, "awaitPromise": true,
        });
        let answer = self.call("Runtime.evaluate", question);
        let exception = &answer["exceptionDetails"];
        assert!(exception.is_null(), "{expression}: {exception}");
        answer["result"]["value"].clone()
    }

    pub(crate) fn text(&mut self, selector: &str) -> String {
        let text = self.evaluate(&format!("document.querySelector({selector:?}).innerText"));
        text.as_str().unwrap().to_owned()
    }

    /// Waits until an expression is true; looks whenever the browser draws.
    pub(crate) fn until(&mut self, condition: &str) {
        self.evaluate(&format!(
            "new Promise(done => {{
                const look = () => ({condition}) ? done(true) : setTimeout(look, 4);
                look();
            }})"
        ));
    }

    /// The middle of an element.
    pub(crate) fn middle(&mut self, selector: &str) -> (f64, f64) {
        let middle = self.evaluate(&format!(
            "(() => {{
                const element = document.querySelector({selector:?});
                const box = element.getBoundingClientRect();
                return [box.x + box.width / 2, box.y + box.height / 2];
            }})()"
        ));
        (middle[0].as_f64().unwrap(), middle[1].as_f64().unwrap())
    }

    pub(crate) fn mouse(&mut self, kind: &str, at: (f64, f64)) {
        let button = if kind == "mouseMoved" { "none" } else { "left" };
        let event = json!({
            "type": kind, "x": at.0, "y": at.1, "button": button, "clickCount": 1,
        });
        self.call("Input.dispatchMouseEvent", event);
    }

    pub(crate) fn click(&mut self, at: (f64, f64)) {
        for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
            self.mouse(kind, at);
        }
    }

    pub(crate) fn drag(&mut self, from: (f64, f64), to: (f64, f64)) {
        self.mouse("mouseMoved", from);
        self.mouse("mousePressed", from);
        let event = json!({
            "type": "mouseMoved", "x": to.0, "y": to.1, "button": "left", "buttons": 1,
        });
        self.call("Input.dispatchMouseEvent", event);
        self.mouse("mouseReleased", to);
    }

    pub(crate) fn wheel(&mut self, at: (f64, f64), down: f64) {
        let event = json!({
            "type": "mouseWheel", "x": at.0, "y": at.1, "deltaX": 0, "deltaY": down,
        });
        self.call("Input.dispatchMouseEvent", event);
    }

    /// Puts fingers on the screen, or moves them; none lifts them.
    pub(crate) fn touch(&mut self, kind: &str, points: &[(f64, f64)]) {
        let points: Vec<Value> = points
            .iter()
            .zip(0..)
            .map(|((x, y), id)| json!({"x": x, "y": y, "id": id}))
            .collect();
        let event = json!({"type": kind, "touchPoints": points});
        self.call("Input.dispatchTouchEvent", event);
    }

    /// Presses a key, by its name in the DOM.
    pub(crate) fn key(&mut self, key: &str) {
        let code = match key {
            "Tab" => 9,
            "Enter" => 13,
            "Escape" => 27,
            "End" => 35,
            "Home" => 36,
            "ArrowLeft" => 37,
            "ArrowUp" => 38,
            "ArrowRight" => 39,
            "ArrowDown" => 40,
            _ => 0,
        };
        let text = match key {
            "Enter" => "\r",
            _ if key.len() == 1 => key,
            _ => "",
        };
        let down = json!({
            "type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text,
        });
        self.call("Input.dispatchKeyEvent", down);
        let up = json!({
            "type": "keyUp", "key": key, "code": key, "windowsVirtualKeyCode": code,
        });
        self.call("Input.dispatchKeyEvent", up);
    }

    /// Remembers what is being checked, for the message of a failure.
    pub(crate) fn doing(&mut self, what: &'static str) {
        self.doing = what;
    }

    /// Nothing has gone wrong in any page so far.
    pub(crate) fn assert_quiet(&mut self) {
        // What was said before the answer to this has arrived before it.
        self.evaluate("0");
        assert!(self.problems.is_empty(), "{:#?}", self.problems);
    }

    /// One problem with this in it was to be expected; exactly one.
    pub(crate) fn forgive(&mut self, expected: &str) {
        self.evaluate("0");
        let all = self.problems.len();
        self.problems.retain(|problem| !problem.contains(expected));
        assert_eq!(
            all - self.problems.len(),
            1,
            "{expected}: {:#?}",
            self.problems
        );
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        let mut message = json!({"id": self.last, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        write!(self.input, "{message}\0").unwrap();
        self.input.flush().unwrap();
        let until = Instant::now() + DEADLINE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let answer = self.output.recv_timeout(left);
            let answer = answer.unwrap_or_else(|error| panic!("{method} {params}: {error}"));
            if answer["id"] == self.last {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].clone();
            }
            self.note(&answer);
        }
    }

    fn note(&mut self, event: &Value) {
        let params = &event["params"];
        let is_problem = match event["method"].as_str().unwrap_or_default() {
            "Runtime.exceptionThrown" | "Log.entryAdded" | "Page.javascriptDialogOpening" => true,
            "Runtime.consoleAPICalled" => params["type"] != "log",
            "Network.requestWillBeSent" => {
                let url = params["request"]["url"].as_str().unwrap_or_default();
                // What a page has made itself comes from nowhere else.
                !["file:", "data:", "blob:"]
                    .iter()
                    .any(|it| url.starts_with(it))
            }
            _ => false,
        };
        if is_problem {
            self.problems.push(event.to_string());
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if thread::panicking() {
            let _ = writeln!(std::io::stderr(), "while checking: {}", self.doing);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}
