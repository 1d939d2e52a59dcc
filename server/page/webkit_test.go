package page

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// webkit is WebKitGTK's MiniBrowser, driven by WebKitWebDriver (W3C WebDriver), on a screen
// that nobody sees.
// Owner: the test.
type webkit struct {
	client  *http.Client
	session string // its address
}

func startWebKit(t *testing.T) engine {
	t.Helper()
	driver, err := exec.LookPath("WebKitWebDriver")
	if err != nil {
		lacks(t, "WebKitWebDriver", "webkit2gtk-driver xvfb")
	}
	xvfb, err := exec.LookPath("Xvfb")
	if err != nil {
		lacks(t, "Xvfb", "xvfb")
	}
	browsers, _ := filepath.Glob("/usr/lib/*/webkit2gtk-4.[01]/MiniBrowser") // the pattern is good
	if len(browsers) == 0 {
		lacks(t, "MiniBrowser", "libwebkit2gtk-4.1-0")
	}
	w := &webkit{client: &http.Client{Transport: &http.Transport{}}}
	t.Cleanup(w.client.CloseIdleConnections)
	screen := startScreen(t, xvfb)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	_ = listener.Close()
	home := t.TempDir()
	cmd := exec.Command(driver, "--host=127.0.0.1", fmt.Sprintf("--port=%d", port))
	cmd.Env = append(cmd.Environ(), "DISPLAY="+screen, "HOME="+home, "XDG_RUNTIME_DIR="+home, "XDG_CONFIG_HOME="+home,
		"XDG_CACHE_HOME="+home, "XDG_DATA_HOME="+home, "LIBGL_ALWAYS_SOFTWARE=1", "WEBKIT_DISABLE_DMABUF_RENDERER=1",
		"GDK_BACKEND=x11", "NO_AT_BRIDGE=1", "GTK_A11Y=none")
	runGroup(t, cmd, func(string) {})
	base := fmt.Sprintf("http://127.0.0.1:%d", port)
	var created struct{ SessionID string }
	options := map[string]any{"capabilities": map[string]any{"alwaysMatch": map[string]any{
		"webkitgtk:browserOptions": map[string]any{
			"binary": browsers[0], "args": []string{"--automation", "--javascript-can-open-windows-automatically=true"},
		},
	}}}
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	for {
		err = w.call(ctx, "POST", base+"/session", options, &created)
		if err == nil || !strings.Contains(err.Error(), "refused") {
			break
		}
		<-time.After(50 * time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.session = base + "/session/" + created.SessionID
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = w.call(ctx, "DELETE", w.session, nil, nil)
	})
	if err := w.popUp(ctx); err != nil {
		t.Fatal(err)
	}
	return w
}

// popUp goes on in a window without a toolbar: with one it cannot be as narrow as a telephone.
func (w *webkit) popUp(ctx context.Context) error {
	var first string
	if err := w.call(ctx, "GET", w.session+"/window", nil, &first); err != nil {
		return err
	}
	if _, err := w.evaluate(ctx, `!!window.open("about:blank", "page", "popup,width=1280,height=900")`); err != nil {
		return err
	}
	for {
		var all []string
		if err := w.call(ctx, "GET", w.session+"/window/handles", nil, &all); err != nil {
			return err
		}
		for _, handle := range all {
			if handle != first {
				return w.call(ctx, "POST", w.session+"/window", map[string]string{"handle": handle}, nil)
			}
		}
		<-time.After(50 * time.Millisecond)
	}
}

// startScreen starts an X server without a screen and is its name.
func startScreen(t *testing.T, xvfb string) string {
	t.Helper()
	says, tell, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer says.Close()
	cmd := exec.Command(xvfb, "-displayfd", "3", "-screen", "0", "1400x4000x24", "-nolisten", "tcp")
	cmd.ExtraFiles = []*os.File{tell}
	runGroup(t, cmd, func(string) {})
	_ = tell.Close()
	_ = says.SetReadDeadline(time.Now().Add(patience))
	number, err := io.ReadAll(says)
	if err != nil || len(number) == 0 {
		t.Fatalf("Xvfb does not say which display it is: %q, %v", number, err)
	}
	return ":" + strings.TrimSpace(string(number))
}

// listen has the page note what its console shows in yellow or red from when it is loaded:
// while it is driven, WebKit tells nobody else.
const listen = `(window.complaints ??= ((all) => {
	for (const level of ["error", "warn"]) {
		const say = console[level];
		console[level] = (...what) => { all.push(level + ": " + what.join(" ")); say.apply(console, what); };
	}
	addEventListener("error", (e) => all.push("error: " + (e.message ?? e.target.outerHTML)), true);
	addEventListener("unhandledrejection", (e) => all.push("error: " + e.reason));
	document.addEventListener("securitypolicyviolation", (e) => all.push("policy: " + e.blockedURI));
	return all;
})([])) !== null`

func (w *webkit) complaints() (found []string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	text, err := w.evaluate(ctx, "window.complaints.splice(0)")
	if err == nil {
		err = json.Unmarshal(text, &found)
	}
	if err != nil {
		return []string{err.Error()}
	}
	return found
}

func (w *webkit) call(ctx context.Context, method, url string, params, result any) error {
	body, err := json.Marshal(params)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := w.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var answer struct{ Value json.RawMessage }
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", response.Status, answer.Value)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(answer.Value, result)
}

func (w *webkit) open(ctx context.Context, url string) error {
	if err := w.call(ctx, "POST", w.session+"/url", map[string]string{"url": url}, nil); err != nil {
		return err
	}
	_, err := w.evaluate(ctx, listen)
	return err
}

func (w *webkit) evaluate(ctx context.Context, expression string) (json.RawMessage, error) {
	var answer struct{ Value, Error *string }
	err := w.call(ctx, "POST", w.session+"/execute/async", map[string]any{
		"args": []any{},
		"script": "const done = arguments[arguments.length - 1]; (async () => JSON.stringify((" + expression +
			") ?? null))().then((value) => done({value}), (error) => done({error: String(error)}))",
	}, &answer)
	switch {
	case err != nil:
		return nil, err
	case answer.Error != nil:
		return nil, fmt.Errorf("%s", *answer.Error)
	case answer.Value == nil:
		return nil, fmt.Errorf("no value")
	}
	return json.RawMessage(*answer.Value), nil
}

func (w *webkit) press(ctx context.Context, keys string) error {
	return w.call(ctx, "POST", w.session+"/actions", map[string]any{"actions": keyActions(keys)}, nil)
}

// resize makes the window so large; it has nothing around the page.
func (w *webkit) resize(ctx context.Context, width, height int) error {
	return w.call(ctx, "POST", w.session+"/window/rect",
		map[string]int{"x": 0, "y": 0, "width": width, "height": height}, nil)
}

func (w *webkit) picture(ctx context.Context) ([]byte, error) {
	var data string
	if err := w.call(ctx, "GET", w.session+"/screenshot", nil, &data); err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(data)
}
