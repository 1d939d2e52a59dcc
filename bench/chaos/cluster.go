package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"groupcast/bench/internal/process"
)

// patience is how long a process may take to start or to end, and a request to be answered.
const patience = 15 * time.Second

// plan is what a cluster is made of.
type plan struct {
	nats   int                     // servers
	extra  func(i int) []string    // further flags of node i
	reach  func(i int) []string    // by which addresses node i reaches NATS; nil: the server of its number alone
	names  []string                // of the nodes; nil: n0, n1, n2
	hosts  []string                // by side: where a side's processes listen; nil: loopback for all
	wrap   func(side int) []string // what stands in front of a side's commands
	apart  bool                    // nodes do not hear of each other at the beginning
	config string                  // of the NATS servers
	before func(*cluster) error    // is called once the NATS servers are up
}

// token is what the API wants where it listens beyond loopback.
const token = "chaos-0123456789abcdef"

// nodes is how many groupcast processes there are.
const nodes = 3

// cluster is NATS servers and nodes, all of them processes of this one.
type cluster struct {
	plan

	groupcast, nats string
	dir             string
	servers         []*server
	nodes           []*node
	lives           atomic.Int64
	client          *http.Client
}

// server is a NATS server, which may end and come again.
type server struct {
	*process.Process
	address, route string
	args           []string
}

// node is a groupcast server, which may end and come again.
type node struct {
	*process.Process
	index       int
	name        string
	listen, api string
	args        []string
	life        atomic.Int64 // which start of any node this is
}

func (p *plan) host(side int) string {
	if p.hosts == nil {
		return "127.0.0.1"
	}
	return p.hosts[side%len(p.hosts)]
}

func (p *plan) wrapped(side int, args []string) []string {
	if p.wrap == nil {
		return args
	}
	return append(p.wrap(side), args...)
}

// startCluster starts the NATS servers, then the nodes, and waits until all know each other.
func startCluster(ctx context.Context, r *run, p plan) (*cluster, error) {
	dir, err := os.MkdirTemp(r.dir, r.name+"-")
	if err != nil {
		return nil, err
	}
	c := &cluster{groupcast: r.groupcast, nats: r.nats, dir: dir, plan: p, client: &http.Client{Timeout: patience}}
	if err := c.start(ctx); err != nil {
		c.stop()
		return nil, err
	}
	return c, nil
}

func (c *cluster) start(ctx context.Context) error {
	ports, err := process.FreePorts(2*c.plan.nats + 2*nodes)
	if err != nil {
		return err
	}
	take := func(side int) string {
		port := ports[0]
		ports = ports[1:]
		return net.JoinHostPort(c.host(side), strconv.Itoa(port))
	}
	for i := range c.plan.nats {
		c.servers = append(c.servers, &server{address: take(i), route: take(i)})
	}
	for i, s := range c.servers {
		host, port, _ := net.SplitHostPort(s.address)
		s.args = c.wrapped(i, []string{c.nats, "-a", host, "-p", port, "-n", fmt.Sprintf("s%d", i)})
		if c.config != "" {
			path := filepath.Join(c.dir, "nats.conf")
			if err := os.WriteFile(path, []byte(c.config), 0o600); err != nil {
				return err
			}
			s.args = append(s.args, "-c", path)
		}
		if len(c.servers) > 1 {
			var routes []string
			for j, other := range c.servers {
				if j != i {
					routes = append(routes, "nats://"+other.route)
				}
			}
			s.args = append(s.args, "--cluster", "nats://"+s.route, "--cluster_name", "chaos",
				"--routes", strings.Join(routes, ","), "--no_advertise") // else a node learns of the other servers
		}
		if err := c.startServer(i); err != nil {
			return err
		}
	}
	for _, s := range c.servers {
		if err := s.awaitGreeting(ctx); err != nil {
			return err
		}
	}
	if c.before != nil {
		if err := c.before(c); err != nil {
			return err
		}
	}
	for i := range nodes {
		n := &node{index: i, name: fmt.Sprintf("n%d", i), listen: take(i), api: take(i)}
		if c.names != nil {
			n.name = c.names[i]
		}
		n.args = c.wrapped(i, []string{
			c.groupcast, "start", "--listen", n.listen, "--api", n.api, "--control", "none", "--nats-node", n.name,
			"--api-token", token,
		})
		for _, address := range c.reached(i) {
			n.args = append(n.args, "--nats", "nats://"+address)
		}
		if c.extra != nil {
			n.args = append(n.args, c.extra(i)...)
		}
		c.nodes = append(c.nodes, n)
		if err := c.startNode(i); err != nil {
			return err
		}
	}
	for _, n := range c.nodes {
		if err := c.awaitReady(ctx, n); err != nil {
			return err
		}
	}
	if c.apart {
		return nil
	}
	// A join is acknowledged for the nodes that are known.
	for _, n := range c.nodes {
		err := n.Await(ctx, patience, func() error {
			if known := c.metric(ctx, n, "groupcast_bus_nodes"); known != nodes {
				return fmt.Errorf("it knows %g nodes of %d", known, nodes)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) reached(i int) []string {
	if c.reach != nil {
		return c.reach(i)
	}
	return []string{c.servers[i%len(c.servers)].address}
}

func (c *cluster) startServer(i int) (err error) {
	s := c.servers[i]
	s.Process, err = startLogged(c.dir, fmt.Sprintf("nats-%d", i), s.args)
	return err
}

func (c *cluster) startNode(i int) (err error) {
	n := c.nodes[i]
	n.Process, err = startLogged(c.dir, fmt.Sprintf("node-%d", i), n.args)
	n.life.Store(c.lives.Add(1))
	return err
}

// startLogged starts a program whose log goes on from one life to the next.
func startLogged(dir, name string, args []string) (*process.Process, error) {
	return process.Start(process.Command{Name: name, Args: args, Log: filepath.Join(dir, name+".log")})
}

// awaitGreeting returns when a NATS server greets those who connect.
func (s *server) awaitGreeting(ctx context.Context) error {
	return s.Await(ctx, patience, func() error {
		conn, err := net.DialTimeout("tcp", s.address, 200*time.Millisecond)
		if err != nil {
			return err
		}
		defer conn.Close()
		_ = conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		var b [4]byte
		if _, err = conn.Read(b[:]); err == nil && string(b[:]) != "INFO" {
			err = fmt.Errorf("it greets with %q, want INFO", b[:])
		}
		return err
	})
}

func (c *cluster) awaitReady(ctx context.Context, n *node) error {
	return n.Await(ctx, patience, func() error {
		status, _, err := c.get(ctx, n, "/readyz")
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("GET /readyz is answered %d", status)
		}
		return err
	})
}

// stop ends all that was started, nodes first.
func (c *cluster) stop() {
	for _, n := range c.nodes {
		if n.Process != nil {
			n.Kill()
		}
	}
	for _, s := range c.servers {
		if s.Process != nil {
			s.Kill()
		}
	}
}

// get asks a node's API.
func (c *cluster) get(ctx context.Context, n *node, path string) (status int, body string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.api+path, nil)
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := c.client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	all, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(all), err
}

// total is how many members a group has over the cluster, as a node says, and who did not answer it.
func (c *cluster) total(ctx context.Context, n *node, group string) (members int, silent []string, err error) {
	status, body, err := c.get(ctx, n, "/v1/groups/"+group)
	if err != nil || status == http.StatusNotFound {
		return 0, nil, err
	}
	var answer struct {
		Members int      `json:"members"`
		Silent  []string `json:"silent"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		return 0, nil, fmt.Errorf("%q: %w", body, err)
	}
	return answer.Members, answer.Silent, nil
}

// metric is the sum of a metric's values whose line begins so; -1 if the node does not answer.
func (c *cluster) metric(ctx context.Context, n *node, prefix string) float64 {
	status, body, err := c.get(ctx, n, "/metrics")
	if err != nil || status != http.StatusOK {
		return -1
	}
	sum := 0.0
	for line := range strings.Lines(body) {
		if strings.HasPrefix(line, prefix) {
			fields := strings.Fields(line)
			v, _ := strconv.ParseFloat(fields[len(fields)-1], 64)
			sum += v
		}
	}
	return sum
}
