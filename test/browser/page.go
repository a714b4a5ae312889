package browser

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"os"
)

// Page is an open page.
type Page struct {
	b       *Browser
	session string
}

// Open opens a file in a page of 1280 by 800 and waits until it has run.
func (b *Browser) Open(file string) *Page {
	b.t.Helper()
	var target struct{ TargetID string }
	b.call("", "Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	b.call("", "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	p := &Page{b, attached.SessionID}
	for _, domain := range []string{"Runtime.enable", "Log.enable", "Network.enable", "Page.enable"} {
		p.call(domain, map[string]any{}, nil)
	}
	p.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": 1280, "height": 800, "deviceScaleFactor": 1, "mobile": false}, nil)
	p.call("Page.navigate", map[string]any{"url": (&url.URL{Scheme: "file", Path: file}).String()}, nil)
	p.Eval(`new Promise(done => document.readyState === "complete" && location.href !== "about:blank" ? done(true) : addEventListener("load", () => done(true)))`, nil)
	return p
}

func (p *Page) call(method string, params, result any) {
	p.b.t.Helper()
	p.b.call(p.session, method, params, result)
}

// Eval runs a script, waits for its promise, and puts its JSON value into result.
func (p *Page) Eval(script string, result any) {
	p.b.t.Helper()
	var got struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails json.RawMessage
	}
	p.call("Runtime.evaluate", map[string]any{"expression": script, "awaitPromise": true, "returnByValue": true, "userGesture": true}, &got)
	if got.ExceptionDetails != nil {
		p.b.t.Fatalf("%s\nfails: %s", script, got.ExceptionDetails)
	}
	if result != nil {
		if err := json.Unmarshal(got.Result.Value, result); err != nil {
			p.b.t.Fatalf("%s\ngives %s: %v", script, got.Result.Value, err)
		}
	}
}

// Type sends the keys of a text to what has the focus.
func (p *Page) Type(text string) {
	p.b.t.Helper()
	p.call("Input.insertText", map[string]any{"text": text}, nil)
}

// Press presses and releases a key.
func (p *Page) Press(key string) {
	p.b.t.Helper()
	more := map[string]any{"type": "keyDown", "key": key, "code": key}
	if key == "Enter" {
		more["text"], more["windowsVirtualKeyCode"] = "\r", 13
	}
	if key == "Tab" {
		more["windowsVirtualKeyCode"] = 9
	}
	p.call("Input.dispatchKeyEvent", more, nil)
	p.call("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": key, "code": key}, nil)
}

// Mouse sends an event of the mouse: mousePressed, mouseMoved, mouseReleased or
// mouseWheel, by which deltaY is turned.
func (p *Page) Mouse(event string, x, y, deltaY float64) {
	p.b.t.Helper()
	params := map[string]any{"type": event, "x": x, "y": y, "deltaX": 0, "deltaY": deltaY, "clickCount": 1}
	if event != "mouseWheel" {
		params["button"], params["buttons"] = "left", 1
	}
	p.call("Input.dispatchMouseEvent", params, nil)
}

// Scheme makes the reader one who likes "light" or "dark".
func (p *Page) Scheme(scheme string) {
	p.b.t.Helper()
	p.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
}

// Screenshot writes what is seen to a PNG.
func (p *Page) Screenshot(file string) {
	p.b.t.Helper()
	var shot struct{ Data string }
	p.call("Page.captureScreenshot", map[string]any{"format": "png"}, &shot)
	data, err := base64.StdEncoding.DecodeString(shot.Data)
	if err == nil {
		err = os.WriteFile(file, data, 0o644)
	}
	if err != nil {
		p.b.t.Fatal(err)
	}
}

// Complaints are the exceptions, console messages and log entries of the page.
func (p *Page) Complaints() []string {
	var out []string
	for _, method := range []string{"Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"} {
		out = append(out, p.b.events(p.session, method)...)
	}
	return out
}

// Requests are the requests that the page made.
func (p *Page) Requests() []string { return p.b.events(p.session, "Network.requestWillBeSent") }
