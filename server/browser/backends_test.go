package browser

import (
	"bufio"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"groupcast/server"
	"groupcast/server/monitor"
)

// TestBackends: one server, a browser tab with the original page, a PHP program
// on the Channel port, and an HTTP client. Each reaches the others, once, and the
// status shows it.
func TestBackends(t *testing.T) {
	php, err := exec.LookPath("php")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("no PHP: make test-deps installs it")
		}
		t.Skip("no PHP: make test-deps installs it, or says how")
	}
	o := server.DefaultOptions()
	o.Listen, o.API, o.Channel, o.Control = []string{"127.0.0.1:0"}, []string{"127.0.0.1:0"}, []string{"127.0.0.1:0"},
		"none"
	s, err := server.Start(o, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	addresses := make(map[string]string)
	for deadline := time.Now().Add(30 * time.Second); addresses[monitor.KindAPI] == ""; {
		for _, l := range s.Status().Listeners {
			addresses[l.Kind] = l.Address
		}
		if time.Now().After(deadline) {
			t.Fatal("no sample of the status in time")
		}
		<-time.After(10 * time.Millisecond)
	}
	api := "http://" + addresses[monitor.KindAPI]

	original, err := os.ReadFile("testdata/original.js")
	if err != nil {
		t.Fatal(err)
	}
	tab := openTab(t, startBrowser(t, addresses[monitor.KindWebSocket]), string(original))
	const own = "Dies ist eine Nachricht"
	tab.expect(own)

	backend := exec.CommandContext(t.Context(), php, "testdata/backend.php", addresses[monitor.KindChannel], "3")
	out, err := backend.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := backend.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	hears := func(want string) {
		t.Helper()
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("PHP prints %q (%v), want %q", lines.Text(), lines.Err(), want)
		}
	}
	hears("event send_to_group 123: from PHP")
	tab.expect(own, "from PHP")

	said := chromedp.Evaluate[chromedp.Void](`ws.send('{"cmd":"send_to_group","group_id":"123","message":"from the tab"}')`)
	if err := chromedp.Do(tab.ctx, said); err != nil {
		t.Fatal(err)
	}
	hears("event send_to_group 123: from the tab")
	tab.expect(own, "from PHP", "from the tab")

	// as curl -d does
	response, err := http.Post(api+"/v1/groups/123/messages", "application/x-www-form-urlencoded",
		strings.NewReader("from HTTP"))
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusAccepted {
		t.Errorf("HTTP: %s", response.Status)
	}
	hears("event send_to_group 123: from HTTP")
	tab.expect(own, "from PHP", "from the tab", "from HTTP")
	if err := backend.Wait(); err != nil {
		t.Error(err)
	}

	deadline := time.Now().Add(30 * time.Second)
	for {
		var status monitor.Status
		response, err := http.Get(api + "/v1/status")
		if err != nil {
			t.Fatal(err)
		}
		err = json.NewDecoder(response.Body).Decode(&status)
		_ = response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if status.Total.Deliveries == 4 && status.Order == 4 && status.Channel.EventsIn == 1 &&
			status.Channel.EventsOut == 3 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the status shows %+v and %+v", status.Total, status.Channel)
		}
		<-time.After(50 * time.Millisecond)
	}
}
