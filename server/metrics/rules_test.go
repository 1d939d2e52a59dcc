package metrics

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// names are all that a query may ask for.
func names(t *testing.T) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for name, family := range parse(t, text(t, newWorld().sources())) {
		if strings.EqualFold(family.GetType().String(), histogram) {
			for _, suffix := range []string{"_bucket", "_count", "_sum"} {
				all[name+suffix] = true
			}
			continue
		}
		all[name] = true
	}
	return all
}

// What PromQL is made of, as far as it is used here.
var (
	word      = regexp.MustCompile(`"[^"]*"|\[[^\]]*\]|[a-zA-Z_:][a-zA-Z0-9_:]*|[0-9.]+|[=!<>]=|[=!]~|[-+*/(){},<>=]|\s+`)
	window    = regexp.MustCompile(`^\[([0-9]+[smhd]|\$__rate_interval)\]$`)
	functions = []string{
		"sum", "max", "min", "avg", "by", "rate", "increase", "histogram_quantile", "time", "max_over_time",
	}
	operators = []string{"and", "or", "unless"}
)

// checkQuery is a light parser: it knows tokens and brackets, takes a word before a
// label's comparison and in a by() for a label, and every other word for a
// function or a metric that there must be.
func checkQuery(query string, metrics map[string]bool, labels map[string][]string) error {
	var words []string
	for at := 0; at < len(query); {
		m := word.FindStringIndex(query[at:])
		if m == nil || m[0] != 0 {
			return fmt.Errorf("what is %q?", query[at:])
		}
		if word := strings.TrimSpace(query[at : at+m[1]]); word != "" {
			words = append(words, word)
		}
		at += m[1]
	}
	var open []string
	inBy, metric, found := false, "", 0
	for i, word := range words {
		next := ""
		if i+1 < len(words) {
			next = words[i+1]
		}
		switch c := word[0]; {
		case word == "(" || word == "{":
			open = append(open, word)
			inBy = word == "(" && i > 0 && words[i-1] == "by"
		case word == ")" || word == "}":
			if len(open) == 0 || open[len(open)-1]+word != "()" && open[len(open)-1]+word != "{}" {
				return fmt.Errorf("%s closes nothing", word)
			}
			open, inBy = open[:len(open)-1], false
		case c == '[':
			if !window.MatchString(word) {
				return fmt.Errorf("%s is no range", word)
			}
		case c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			inBraces := len(open) > 0 && open[len(open)-1] == "{"
			switch {
			case inBraces:
				if word != "instance" && !slices.Contains(labels[metric], word) {
					return fmt.Errorf("%s has no label %s", metric, word)
				}
			case inBy:
				if !slices.Contains([]string{"instance", "le"}, word) && !anyHas(labels, word) {
					return fmt.Errorf("nothing has a label %s", word)
				}
			case slices.Contains(operators, word):
			case next == "(" || next == "by" || word == "by":
				if !slices.Contains(functions, word) {
					return fmt.Errorf("%s is no function", word)
				}
			case !metrics[word]:
				return fmt.Errorf("%s is no metric", word)
			default:
				metric, found = word, found+1
			}
		}
	}
	if len(open) > 0 {
		return fmt.Errorf("%s is not closed", open[len(open)-1])
	}
	if found == 0 {
		return fmt.Errorf("no metric in it")
	}
	return nil
}

func anyHas(labels map[string][]string, label string) bool {
	for _, list := range labels {
		if slices.Contains(list, label) {
			return true
		}
	}
	return false
}

func labelsOf(t *testing.T) map[string][]string {
	t.Helper()
	labels := map[string][]string{}
	for _, f := range families(t) {
		labels[f.name] = f.labels
		labels[f.name+"_bucket"] = append(slices.Clone(f.labels), "le")
	}
	return labels
}

func TestCheckQuery(t *testing.T) {
	metrics := names(t)
	for query, fine := range map[string]bool{
		`groupcast_connections`: true,
		`sum by (cause) (rate(groupcast_closes_total{code="1008"}[5m])) > 0`: true,
		`groupcast_conections`:                         false,
		`sum(groupcast_connections`:                    false,
		`sum(groupcast_connections})`:                  false,
		`summ(groupcast_connections)`:                  false,
		`groupcast_closes_total{cod="1008"}`:           false,
		`sum by (cuase) (groupcast_closes_total)`:      false,
		`rate(groupcast_closes_total[5])`:              false,
		`groupcast_publish_to_flush_seconds`:           false,
		`groupcast_publish_to_flush_seconds_bucket`:    true,
		`groupcast_connections $`:                      false,
		`1 > 2`:                                        false,
		`groupcast_connections and groupcast_draining`: true,
		`time() - groupcast_draining`:                  true,
		`groupcast_connections nor groupcast_draining`: false,
	} {
		if err := checkQuery(query, metrics, labelsOf(t)); (err == nil) != fine {
			t.Errorf("%s: %v", query, err)
		}
	}
}

func TestAlerts(t *testing.T) {
	file, err := os.Open("alerts/groupcast.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var rules struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert       string
				Expr        string
				For         string
				Labels      map[string]string
				Annotations map[string]string
			}
		}
	}
	d := yaml.NewDecoder(file)
	d.KnownFields(true)
	if err := d.Decode(&rules); err != nil {
		t.Fatal(err)
	}
	metrics, seen := names(t), map[string]bool{}
	for _, group := range rules.Groups {
		for _, r := range group.Rules {
			if err := checkQuery(r.Expr, metrics, labelsOf(t)); err != nil {
				t.Errorf("%s: %v in %s", r.Alert, err, r.Expr)
			}
			if seen[r.Alert] || !strings.HasPrefix(r.Alert, "Groupcast") {
				t.Errorf("%s: twice, or not of ours", r.Alert)
			}
			seen[r.Alert] = true
			if s := r.Labels["severity"]; s != "warning" && s != "critical" {
				t.Errorf("%s: severity %q", r.Alert, s)
			}
			if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("%s: wants a summary and a description", r.Alert)
			}
			for _, text := range r.Annotations {
				if strings.Count(text, "{{") != strings.Count(text, "}}") {
					t.Errorf("%s: %s", r.Alert, text)
				}
			}
			if r.For != "" && !regexp.MustCompile(`^[0-9]+[smh]$`).MatchString(r.For) {
				t.Errorf("%s: for %s", r.Alert, r.For)
			}
		}
	}
	if len(seen) < 10 {
		t.Errorf("%d alerts", len(seen))
	}
}

func TestDashboard(t *testing.T) {
	file, err := os.ReadFile("grafana/groupcast.json")
	if err != nil {
		t.Fatal(err)
	}
	type place struct{ H, W, X, Y int }
	var board struct {
		Title, UID    string
		SchemaVersion int
		Panels        []struct {
			ID      int
			Type    string
			Title   string
			GridPos place
			Targets []struct{ Expr, RefID string }
		}
		Templating struct {
			List []struct{ Name, Definition string }
		}
	}
	if err := json.Unmarshal(file, &board); err != nil {
		t.Fatal(err)
	}
	metrics, ids, queries := names(t), map[int]bool{}, 0
	var places []place
	for _, p := range board.Panels {
		if ids[p.ID] || p.Title == "" {
			t.Errorf("panel %d %q: twice, or without a title", p.ID, p.Title)
		}
		ids[p.ID] = true
		for _, other := range places {
			if p.GridPos.X < other.X+other.W && other.X < p.GridPos.X+p.GridPos.W && p.GridPos.Y < other.Y+other.H &&
				other.Y < p.GridPos.Y+p.GridPos.H {
				t.Errorf("%s lies on another panel", p.Title)
			}
		}
		if places = append(places, p.GridPos); p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("%s is not on the board", p.Title)
		}
		if (p.Type == "row") != (len(p.Targets) == 0) {
			t.Errorf("%s: %d queries", p.Title, len(p.Targets))
		}
		for _, target := range p.Targets {
			if err := checkQuery(target.Expr, metrics, labelsOf(t)); err != nil {
				t.Errorf("%s: %v in %s", p.Title, err, target.Expr)
			}
			if !strings.Contains(target.Expr, `instance=~"$instance"`) {
				t.Errorf("%s: all instances at once in %s", p.Title, target.Expr)
			}
			queries++
		}
	}
	if board.Title != "groupcast" || board.UID == "" || board.SchemaVersion == 0 || queries < 30 ||
		len(board.Templating.List) != 2 {
		t.Errorf("an odd dashboard: %q, %d queries", board.Title, queries)
	}
}

// TestLabelValues: what the rules and the dashboard pick out of a metric by a label is
// something that the label may be.
func TestLabelValues(t *testing.T) {
	exposed := text(t, newWorld().sources())
	picked := regexp.MustCompile(`(groupcast_[a-z_]+)\{([a-z_]+)!?=\\?"([a-z0-9_]+)\\?"`)
	found := 0
	for _, name := range []string{"alerts/groupcast.yaml", "grafana/groupcast.json"} {
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range picked.FindAllStringSubmatch(string(file), -1) {
			found++
			if has := regexp.MustCompile(m[1] + `\{[^}]*` + m[2] + `="` + m[3] + `"`); !has.MatchString(exposed) {
				t.Errorf("%s: no %s has %s=%q", name, m[1], m[2], m[3])
			}
		}
	}
	if found < 3 {
		t.Errorf("only %d are looked at", found)
	}
}

// What an operator of tokens has to see and to be called for: failures, renewals, sessions whose
// token was over, keys that cannot be read.
func TestTokensAreWatched(t *testing.T) {
	for name, metrics := range map[string][]string{
		"grafana/groupcast.json": {
			"groupcast_tokens_accepted_total", "groupcast_tokens_refused_total", `limit=\"token_failures\"`,
			"groupcast_token_warnings_total", "groupcast_token_renewals_total", `cause=\"token_expired\"`,
			"groupcast_token_keys_timestamp_seconds", "groupcast_token_key_failures_total",
		},
		"alerts/groupcast.yaml": {
			"groupcast_tokens_refused_total", `limit="token_failures"`, "groupcast_token_renewals_total",
			`cause="token_expired"`, "groupcast_token_keys ", "groupcast_token_keys_timestamp_seconds",
		},
	} {
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, metric := range metrics {
			if !strings.Contains(string(file), metric) {
				t.Errorf("%s does not look at %s", name, metric)
			}
		}
	}
}
