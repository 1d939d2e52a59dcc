package bus

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"groupcast/loop"
	"groupcast/loop/budget"
	"groupcast/protocol/subject"
)

// Options say which NATS servers join this node to others, as whom it connects, and its limits.
// The zero value is not usable, start from DefaultOptions.
type Options struct {
	// Servers are nats://HOST:PORT or tls://HOST:PORT. User and password, or a token, may stand in
	// front of HOST; they are not in ShownServers, and in no log line.
	Servers []string
	// Prefix begins all subjects, see protocol/subject.
	Prefix string
	// Node is this node's name in the cluster: CheckNode says what it may be. "" is NodeName of the
	// host's name.
	Node string

	// As whom the node connects: one of these ways, or what is in the servers' addresses, or none.
	CredentialsFile string // a user's JWT and seed, as nsc writes them
	NKeyFile        string // a user's seed
	User            string // with Password or PasswordFile
	Password        string
	PasswordFile    string
	Token           string
	TokenFile       string

	// CAFile has the PEM certificates of the authorities that the servers' certificates are checked
	// by; "" is the system's. CertFile and KeyFile are the node's own. Each of them asks for TLS,
	// whatever scheme the servers have. All are read again whenever the node connects.
	CAFile, CertFile, KeyFile string

	// Down is what becomes of publications while no server is reachable.
	Down Down
	// BufferBytes bounds what DownBuffer keeps meanwhile; what is over it is as with DownLocal.
	BufferBytes int
	// Inbound bounds the messages that have come and are not published yet; what is over it is
	// dropped, and told as a loss.
	Inbound int
	// SinkMessages and SinkBytes bound what waits on its way from the broker.
	SinkMessages, SinkBytes int
	// Subjects is from how many groups on the node subscribes to all of them at once.
	Subjects int
	// healWait is how long a node that is back waits for others; 0 is the constant.
	healWait time.Duration
	// narrowAfter is how long there must be fewer of them before that ends; 0 is the interest's.
	narrowAfter time.Duration
	// Linger is how long the node stays subscribed to a group after its last member has left.
	Linger time.Duration
	// JoinWait is how long the ack of a join waits for the other nodes to know of it.
	JoinWait time.Duration
	// Lease is after how long of silence a node counts nowhere.
	Lease time.Duration

	// Require ends the start where no server can be reached.
	Require bool
	// Ready makes the node not ready while no server is reachable.
	Ready bool

	// Budget is the process's for memory, of which the bus is a part. nil is none.
	Budget *budget.Budget
	// Logger receives what an operator should know; nil is slog.Default.
	Logger *slog.Logger
}

// Limits of options.
const (
	MaxServers   = 64
	MaxNodeBytes = 32
	MinLease     = 3 * time.Second // a heartbeat a second, of which two may be missing
	MaxLease     = time.Hour
	MinJoinWait  = 10 * time.Millisecond
	MaxJoinWait  = time.Minute
	MaxLinger    = 24 * time.Hour
	MaxMessages  = 1 << 24 // of Inbound and SinkMessages
	MaxSubjects  = 1 << 24
	MaxSinkBytes = 1 << 30
	MaxBuffer    = 1 << 40 // bytes
)

// nodesOfAll is the word that stands for every node in a subject, and so is no node's name.
const nodesOfAll = "all"

// DefaultOptions are usual limits; the servers are the caller's.
func DefaultOptions() Options {
	return Options{
		Prefix:       subject.DefaultPrefix,
		BufferBytes:  16 << 20,
		Inbound:      65_536,
		SinkMessages: 65_536,
		SinkBytes:    16 << 20,
		Subjects:     50_000,
		Linger:       10 * time.Second,
		JoinWait:     time.Second,
		Lease:        5 * time.Second,
	}
}

// checks collects what is wrong with options, each as a *loop.OptionError.
type checks []error

func (c *checks) wants(ok bool, field, format string, args ...any) {
	if !ok {
		*c = append(*c, &loop.OptionError{Field: field, Reason: fmt.Sprintf(format, args...)})
	}
}

func (c *checks) between(v, low, high int, field string) {
	c.wants(v >= low && v <= high, field, "wants %d to %d, got %d", low, high, v)
}

func (c *checks) lasts(v, low, high time.Duration, field string) {
	c.wants(v >= low && v <= high, field, "wants %s to %s, got %s", low, high, v)
}

// Validate reports every option that is out of range or cannot live with another, joined. It
// opens no file: CheckFiles does. No error has a secret in it.
func (o Options) Validate() error {
	var c checks
	c.between(len(o.Servers), 1, MaxServers, "Servers")
	for _, text := range o.Servers {
		err := CheckServer(text)
		c.wants(err == nil, "Servers", "%v, got %s", err, ShownServer(text))
	}
	_, err := subject.ParsePrefix(o.Prefix)
	c.wants(err == nil, "Prefix", "%v", err)
	if o.Node != "" {
		err := CheckNode(o.Node)
		c.wants(err == nil, "Node", "%v, got %q", err, o.Node)
	}
	ways := o.Authentication()
	c.wants(len(ways) < 2, "Authentication", "wants one way, got %s", strings.Join(ways, " and "))
	c.wants(o.User == "" || o.Password != "" || o.PasswordFile != "", "User", "wants Password or PasswordFile with it")
	c.wants(o.User != "" || o.Password == "" && o.PasswordFile == "", "Password", "wants User with it")
	c.wants(o.Password == "" || o.PasswordFile == "", "Password", "wants no PasswordFile with it")
	c.wants(o.Token == "" || o.TokenFile == "", "Token", "wants no TokenFile with it")
	c.wants(o.CertFile == "" || o.KeyFile != "", "CertFile", "wants KeyFile with it")
	c.wants(o.KeyFile == "" || o.CertFile != "", "KeyFile", "wants CertFile with it")
	c.wants(o.Down.Known(), "Down", "wants %d to %d, got %d", 0, len(Downs)-1, int(o.Down))
	c.between(o.BufferBytes, 0, MaxBuffer, "BufferBytes")
	c.between(o.Inbound, 1, MaxMessages, "Inbound")
	c.between(o.SinkMessages, 1, MaxMessages, "SinkMessages")
	c.between(o.SinkBytes, 1, MaxSinkBytes, "SinkBytes")
	c.between(o.Subjects, 1, MaxSubjects, "Subjects")
	c.lasts(o.Linger, 0, MaxLinger, "Linger")
	c.lasts(o.JoinWait, MinJoinWait, MaxJoinWait, "JoinWait")
	c.lasts(o.Lease, MinLease, MaxLease, "Lease")
	return errors.Join(c...)
}

// Authentication names the ways in which o says as whom the node connects, by their fields.
func (o Options) Authentication() (ways []string) {
	for _, one := range []struct {
		name  string
		there bool
	}{
		{"Servers", slices.ContainsFunc(o.Servers, hasUser)},
		{"CredentialsFile", o.CredentialsFile != ""},
		{"NKeyFile", o.NKeyFile != ""},
		{"User", o.User != "" || o.Password != "" || o.PasswordFile != ""},
		{"Token", o.Token != "" || o.TokenFile != ""},
	} {
		if one.there {
			ways = append(ways, one.name)
		}
	}
	return ways
}

// hasUser reports whether a server's address says as whom to connect. Of one that cannot be read
// it is not known, and CheckServer refuses it.
func hasUser(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.User != nil
}

// ErrServer is what is wanted of a server's address. The address itself is not in it: there may
// be a password.
var ErrServer = errors.New("wants nats://HOST:PORT or tls://HOST:PORT; in front of HOST may stand USER:PASSWORD@ " +
	"or TOKEN@, with % and two digits for what is neither letter nor digit")

// CheckServer returns ErrServer where text is no address of a NATS server.
func CheckServer(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "nats" && u.Scheme != "tls" || u.Hostname() == "" || u.Opaque != "" ||
		u.Path != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(u.Host, ":") {
		return ErrServer
	}
	if u.User != nil && u.User.Username() == "" {
		return ErrServer
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return ErrServer
		}
	}
	return nil
}

// defaultPort is where NATS listens if an address does not say.
const defaultPort = "4222"

// ShownServer is a server's address without what is secret in it. Of a text that is no such address
// nothing is shown, since anything in it may be a password.
func ShownServer(text string) string {
	if CheckServer(text) != nil {
		return "(hidden)"
	}
	u, err := url.Parse(text)
	if err != nil {
		return "(hidden)"
	}
	return shownURL(u)
}

func shownURL(u *url.URL) string {
	host := u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), defaultPort)
	}
	return u.Scheme + "://" + host
}

// ShownServers are the servers' addresses without what is secret in them.
func (o Options) ShownServers() []string {
	shown := make([]string, len(o.Servers))
	for i, text := range o.Servers {
		shown[i] = ShownServer(text)
	}
	return shown
}

// ErrNode is what is wanted of a node's name.
var ErrNode = errors.New("wants 1 to 32 letters of A-Z a-z, digits, - and _, and not all")

// CheckNode returns ErrNode where name is no node's name: it stands in a subject as a token, and
// in lists between other words.
func CheckNode(name string) error {
	if name == "" || len(name) > MaxNodeBytes || name == nodesOfAll || strings.ContainsFunc(name, notOfNode) {
		return ErrNode
	}
	return nil
}

func notOfNode(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
}

// NodeName is the name that a node has by its host's: the same, with a - for each character that a
// name cannot have. One that is too long is cut and ends with 8 digits of its hash: hosts are told
// apart by their beginning (web-1.eu.example.org) or by their end (push-7d9f8b6c5d-x2x8p).
func NodeName(host string) string {
	name := strings.Map(func(r rune) rune {
		if notOfNode(r) {
			return '-'
		}
		return r
	}, host)
	if CheckNode(name) == nil {
		return name
	}
	const digits = 8
	sum := sha256.Sum256([]byte(host))
	name = name[:min(len(name), MaxNodeBytes-1-digits)]
	if name == "" {
		name = "node"
	}
	return name + "-" + hex.EncodeToString(sum[:])[:digits]
}
