package edge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"gopkg.in/yaml.v3"

	"groupcast/loop/wait"
	"groupcast/server/launch"
)

const (
	clusterDir = "../examples/cluster"
	apiToken   = "a-token-of-thirty-two-bytes-or-so"
)

// compose is what the example's compose.yaml says.
type compose struct {
	Services map[string]struct {
		Image       string
		Build       struct{ Context, Dockerfile string }
		Command     string
		Environment map[string]string
		Volumes     []string
		Secrets     []string
		Ports       []string
		DependsOn   []string `yaml:"depends_on"`
	}
	Secrets map[string]struct{ File string }
}

// TestCluster starts what the example's compose.yaml starts, with the same commands and files, on loopback:
// only addresses, the paths of mounts, and passwords' ways in are others. No container runs.
func TestCluster(t *testing.T) {
	haproxy := launch.Find(t, "haproxy")
	groupcast := launch.Groupcast(t)
	var c compose
	decoder := yaml.NewDecoder(strings.NewReader(example(t, "compose.yaml")))
	if err := decoder.Decode(&c); err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(c.Services)); !slices.Equal(got, []string{"haproxy", "n1", "n2", "n3", "nats"}) {
		t.Fatalf("services %q", got)
	}
	for name, s := range c.Services {
		if s.Build.Dockerfile != "" {
			checkThere(t, filepath.Join(clusterDir, s.Build.Context, s.Build.Dockerfile))
		}
		for _, volume := range s.Volumes {
			from, _, _ := strings.Cut(volume, ":")
			checkThere(t, filepath.Join(clusterDir, from))
		}
		for _, other := range s.DependsOn {
			if _, there := c.Services[other]; !there {
				t.Errorf("%s depends on %s, which is no service", name, other)
			}
		}
		for _, secret := range s.Secrets {
			if c.Secrets[secret].File == "" || !strings.Contains(s.Command, "/run/secrets/"+secret) {
				t.Errorf("%s has the secret %s, which is none, or is not used", name, secret)
			}
		}
	}

	dir := launch.ShortDir(t)
	token := filepath.Join(dir, "api-token")
	writeFile(t, token, apiToken+"\n")
	natsURL := runNATS(t, c.Services["nats"].Environment)
	door, config := launch.FreePort(t), example(t, "haproxy.cfg")
	apis := make(map[string]int)
	for _, name := range []string{"n1", "n2", "n3"} {
		port, api := launch.FreePort(t), launch.FreePort(t)
		apis[name] = api
		args := strings.Fields(c.Services[name].Command)
		for from, to := range map[string]string{
			":1234": at(port), "0.0.0.0:1235": at(api), "/run/secrets/api-token": token, "10.77.0.2": "127.0.0.1",
			"none": filepath.Join(dir, name), "nats://nats:4222": natsURL,
		} {
			replace(t, args, from, to)
		}
		for variable, value := range c.Services[name].Environment { // each is a flag as well
			flag := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(variable, "GROUPCAST_"), "_", "-"))
			args = append(args, "--"+flag, value)
		}
		launch.Run(t, groupcast, args)
		config = replaceOnce(t, config, name+":1234 port 1235", fmt.Sprintf("%s port %d", at(port), api))
	}
	for _, api := range apis { // HAProxy would find one away, and ask it again a second later
		awaitNodes(t, api, 3)
	}
	config = replaceOnce(t, config, "bind :8080", "bind "+at(door))
	writeFile(t, filepath.Join(dir, "haproxy.cfg"), config)
	launch.Run(t, haproxy, []string{"-f", filepath.Join(dir, "haproxy.cfg"), "-db"}, -1, 143) // by the signal
	launch.Listening(t, door)

	var clients []*websocket.Conn
	for range 6 {
		clients = append(clients, comeIn(t, door))
	}
	if got := membersByNode(t, apis["n1"]); !maps.Equal(got, map[string]int{"n1": 2, "n2": 2, "n3": 2}) {
		t.Errorf("the members are at %v", got)
	}
	say(t, clients[0], `{"cmd":"send_to_group","group_id":"g","message":"hello"}`)
	hearAll(t, clients, "hello")
	useNATS(t, natsURL, c.Services["nats"].Environment["BACKEND_PASSWORD"], clients)

	// A deploy: one node goes, and its clients come back to the others.
	stop := exec.CommandContext(t.Context(), groupcast, "stop", "--control", filepath.Join(dir, "n2"))
	if out, err := stop.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	awaitNodes(t, apis["n1"], 2)
	ask(t, http.MethodPost, apis["n1"], "/v1/groups/g/messages", "n2 has gone")
	var stay []*websocket.Conn
	for _, client := range clients {
		if !hearsOrLeft(t, client, "n2 has gone") {
			client = comeIn(t, door)
		}
		stay = append(stay, client)
	}
	got := membersByNode(t, apis["n1"])
	if len(got) != 2 || got["n1"]+got["n3"] != 6 {
		t.Errorf("the members are at %v", got)
	}
	say(t, stay[0], `{"cmd":"send_to_group","group_id":"g","message":"still there"}`)
	hearAll(t, stay, "still there")
}

// TestThreeNodes runs the README's lines for three nodes on one machine: only ports are others, and the
// programs are built elsewhere.
func TestThreeNodes(t *testing.T) {
	t.Parallel()
	bash := launch.Find(t, "bash")
	groupcast := launch.Groupcast(t)
	text := block(t, "three-nodes")
	nats, ports, apis := launch.FreePort(t), []int{0}, []int{0}
	for range 3 {
		ports, apis = append(ports, launch.FreePort(t)), append(apis, launch.FreePort(t))
	}
	for from, to := range map[string]string{
		"make build": "cd ../..", "${n}234": "${ports[n]}", "${n}235": "${apis[n]} --control none",
		"-a 127.0.0.1 &": fmt.Sprintf("-a 127.0.0.1 -p %d &", nats), "nats://127.0.0.1:4222": "nats://" + at(nats),
	} {
		text = replaceOnce(t, text, from, to)
	}
	text = strings.ReplaceAll(text, "bin/", filepath.Dir(groupcast)+"/")
	script := fmt.Sprintf("trap 'kill $(jobs -p); wait; exit' TERM\nports=(%s) apis=(%s)\n%s\nwait\n",
		strings.Trim(fmt.Sprint(ports), "[]"), strings.Trim(fmt.Sprint(apis), "[]"), text)
	launch.Run(t, bash, []string{"-c", script})
	for i := 1; i <= 3; i++ {
		launch.Listening(t, apis[i])
		awaitNodes(t, apis[i], 3)
	}
	client := comeIn(t, ports[2])
	ask(t, http.MethodPost, apis[3], "/v1/groups/g/messages", "hello from n3")
	hear(t, client, "hello from n3")
	if got := membersByNode(t, apis[1]); !maps.Equal(got, map[string]int{"n2": 1}) {
		t.Errorf("the members are at %v", got)
	}
}

// TestPermissions: the README shows the example's permissions.
func TestPermissions(t *testing.T) {
	t.Parallel()
	users := func(text string) string {
		_, text, _ = strings.Cut(text, "authorization {")
		return text
	}
	shown := strings.NewReplacer(`"change me"`, "$NODE_PASSWORD", `"change me, too"`, "$BACKEND_PASSWORD").
		Replace(block(t, "nats-permissions"))
	if want := users(example(t, "nats.conf")); users(shown) != want || want == "" {
		t.Errorf("README.md shows\n%s\nand the example has\n%s", shown, want)
	}
}

// useNATS publishes as the backend's user, and tries what it may not do.
func useNATS(t *testing.T, url, password string, members []*websocket.Conn) {
	t.Helper()
	refused := make(chan error, 10)
	conn, err := nats.Connect(url, nats.UserInfo("backend", password), nats.PermissionErrOnSubscribe(true),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err }))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answer, err := conn.Request("groupcast.g.g", []byte("by NATS"), wait.Patience)
	if err != nil {
		t.Fatal(err)
	}
	var place struct {
		Node  string
		Order int
	}
	if err := json.Unmarshal(answer.Data, &place); err != nil || place.Node == "" || place.Order == 0 {
		t.Errorf("answer %s, %v", answer.Data, err)
	}
	hearAll(t, members, "by NATS")
	for what, do := range map[string]func() error{
		"publish to nodes": func() error { return conn.Publish("groupcast.n.all", []byte("{}")) },
		"subscribe to groups": func() error {
			_, err := conn.SubscribeSync("groupcast.g.*")
			return err
		},
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-refused:
			if !errors.Is(err, nats.ErrPermissionViolation) {
				t.Errorf("%s: %v", what, err)
			}
		case <-time.After(wait.Patience):
			t.Fatalf("%s is not refused", what)
		}
	}
}

// runNATS is a NATS server with the example's configuration.
func runNATS(t *testing.T, environment map[string]string) (url string) {
	t.Helper()
	for variable, value := range environment {
		t.Setenv(variable, value)
	}
	o, err := server.ProcessConfigFile(filepath.Join(clusterDir, "nats.conf"))
	if err != nil {
		t.Fatal(err)
	}
	o.Host, o.Port, o.NoLog, o.NoSigs = "127.0.0.1", -1, true, true
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	go s.Start()
	if !s.ReadyForConnections(wait.Patience) {
		t.Fatal("the NATS server does not start")
	}
	return s.ClientURL()
}

func example(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(clusterDir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func checkThere(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func at(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// comeIn connects, joins g, and has the ack that all nodes know of it.
func comeIn(t *testing.T, port int) *websocket.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wait.Patience)
	defer cancel()
	var c *websocket.Conn
	wait.Until(t, "a connection", func() (ok bool) { // the balancer's first checks may still be under way
		var err error
		c, _, err = websocket.Dial(ctx, "ws://"+at(port)+"/", nil) //nolint:bodyclose // coder/websocket closes it
		return err == nil
	})
	t.Cleanup(func() { _ = c.CloseNow() })
	say(t, c, `{"cmd":"add_group","group_id":"g","req_id":1}`)
	hear(t, c, `{"cmd":"ack","req_id":1}`)
	return c
}

func hearAll(t *testing.T, clients []*websocket.Conn, want string) {
	t.Helper()
	for _, c := range clients {
		hear(t, c, want)
	}
}

// hearsOrLeft reports whether a client hears a message; one that does not was told that its node goes away.
func hearsOrLeft(t *testing.T, c *websocket.Conn, want string) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wait.Patience)
	defer cancel()
	_, text, err := c.Read(ctx)
	if err != nil && websocket.CloseStatus(err) != websocket.StatusGoingAway || err == nil && string(text) != want {
		t.Fatalf("received %q, %v", text, err)
	}
	return err == nil
}

// ask is a request to a node's API, and the text that it is answered with.
func ask(t *testing.T, method string, api int, path, body string) string {
	t.Helper()
	text, err := tryToAsk(t.Context(), method, api, path, body)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func tryToAsk(ctx context.Context, method string, api int, path, body string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+at(api)+path, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	request.Header.Set("Authorization", "Bearer "+apiToken)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= http.StatusMultipleChoices {
		err = fmt.Errorf("%s %s: %s: %s", method, path, response.Status, text)
	}
	return string(text), err
}

// membersByNode is how many members g has at each node; none is silent.
func membersByNode(t *testing.T, api int) map[string]int {
	t.Helper()
	var page struct {
		Sessions []struct{ Node string }
		Silent   []string
	}
	text := ask(t, http.MethodGet, api, "/v1/groups/g/members", "")
	if err := json.Unmarshal([]byte(text), &page); err != nil {
		t.Fatal(err)
	}
	if len(page.Silent) > 0 {
		t.Errorf("%q are silent", page.Silent)
	}
	counts := make(map[string]int)
	for _, s := range page.Sessions {
		counts[s.Node]++
	}
	return counts
}

// awaitNodes waits until a node knows of so many, itself included.
func awaitNodes(t *testing.T, api, want int) {
	t.Helper()
	line := fmt.Sprintf("\ngroupcast_bus_nodes %d\n", want)
	wait.Until(t, fmt.Sprintf("%d nodes at port %d", want, api), func() bool {
		text, err := tryToAsk(t.Context(), http.MethodGet, api, "/metrics", "")
		return err == nil && strings.Contains(text, line)
	})
}
