package main

import (
	"fmt"
	"html"
	"os"
	"slices"
	"strconv"
	"strings"
)

// replaceBlock puts text between the marks of that name in a Markdown file.
func replaceBlock(path, name, text string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	begin, end := "<!-- "+name+": made by `make pictures` -->\n", "<!-- end of "+name+" -->"
	before, rest, found := strings.Cut(string(b), begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		return fmt.Errorf("%s: wants the lines %q and %q", path, strings.TrimSpace(begin), end)
	}
	return os.WriteFile(path, []byte(before+begin+"\n"+strings.TrimSpace(text)+"\n\n"+end+after), 0o644)
}

// capacityMarkdown is what the project's README begins with: the wide picture where there is room, else the
// narrow one, which is also what a host shows that knows no <picture>.
func capacityMarkdown(all *results) string {
	p := capacityPicture(all)
	c := all.find(capacityLoad)
	if c == nil {
		return ""
	}
	var alt []string
	for _, name := range []string{ours, "gorilla", "socket.io"} {
		load, _ := c.of(name, deliveries)
		crowd, _ := all.find(capacityCrowd).of(name, perSession)
		if load.Runs > 0 && crowd.Runs > 0 {
			alt = append(alt, fmt.Sprintf("%s %s deliveries a second and %s a session", named(name),
				number(load.Value.Median, load.Unit), number(crowd.Value.Median, crowd.Unit)))
		}
	}
	return fmt.Sprintf(`<picture>
  <source media="(min-width: 900px)" srcset="bench/results/%[1]s-wide.svg">
  <img src="bench/results/%[1]s.svg" alt="%[2]s: %[3]s">
</picture>

Deliveries are on a logarithmic axis, memory is not. Where groups are small, each delivery is a write of its own and the
servers are [close to each other](bench/results/servers-small-groups.svg). Each server's set-up stands below its name;
[bench/peers](bench/peers/README.md) says how they were written and what is fair,
[bench/results](bench/results/README.md) has every figure with its scatter. `+
		"`make results ONLY='^peers'` measures them anew.",
		p.name, html.EscapeString(p.title), html.EscapeString(strings.Join(alt, ", ")))
}

// tables are all figures, for bench/results.
func tables(all *results) string {
	var b strings.Builder
	where(&b, all)
	for _, p := range pictures(all) {
		if !p.wide {
			fmt.Fprintf(&b, "![%s: see the tables](%s.svg)\n", p.title, p.name)
		}
	}
	againstC(&b, all)
	for _, c := range all.Comparisons {
		if strings.HasPrefix(c.Name, "peers-") {
			besides(&b, c)
		}
	}
	overHTTP(&b, all)
	var failures []string
	for _, c := range all.Comparisons {
		for _, f := range c.Failures {
			failures = append(failures, fmt.Sprintf("- `%s`: %s\n", c.Name, f))
		}
	}
	if failures != nil {
		b.WriteString("\n### What failed\n\n" + strings.Join(failures, ""))
	}
	return b.String()
}

// where says what was measured on what, once for all that have it in common.
func where(b *strings.Builder, all *results) {
	var order []string
	of := map[string][]string{}
	for _, c := range all.Comparisons {
		line := fmt.Sprintf("%s, %s", c.Date, c.Machine)
		if c.Go != "" {
			line += ", " + c.Go
		}
		if c.Commit != "" {
			line += ", commit " + c.Commit
		}
		if of[line] == nil {
			order = append(order, line)
		}
		of[line] = append(of[line], "`"+c.Name+"`")
	}
	for _, line := range order {
		if len(order) == 1 {
			fmt.Fprintf(b, "%s.\n", line)
			continue
		}
		fmt.Fprintf(b, "- %s: %s\n", line, strings.Join(of[line], ", "))
	}
	b.WriteString("\n")
}

func againstC(b *strings.Builder, all *results) {
	b.WriteString("\n### Beside the C program\n\n")
	b.WriteString("| run | what | figure | groupcast | C | ratio (range) | rounds |\n|---|---|---|---|---|---|---|\n")
	for _, c := range all.Comparisons {
		if c.Reference != limit || strings.HasPrefix(c.Name, "peers-") {
			continue
		}
		words := inWords(c.Name)
		what := strings.TrimSuffix(words.name+", "+words.setup, ", ")
		for _, metric := range []string{cpu, "CPU per connection", "memory per session", "latency p99"} {
			g, ok := c.of(ours, metric)
			r, known := c.of(limit, metric)
			if !ok || !known {
				continue
			}
			fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s | **%s** (%s to %s) | %d |\n", c.Name, what, metric,
				number(g.Value.Median, g.Unit), number(r.Value.Median, r.Unit), number(g.Ratio.Median, "ratio"),
				number(g.Ratio.Min, "ratio"), number(g.Ratio.Max, "ratio"), min(g.Runs, r.Runs))
		}
	}
}

// columns of the tables with many servers.
var columns = []struct{ metric, title string }{
	{cpu, "CPU a delivery"},
	{deliveries, "deliveries a second"},
	{"latency p50", "latency p50"},
	{"latency p99", "latency p99"},
	{"resident", "resident"},
	{perSession, "a session"},
}

func besides(b *strings.Builder, c *comparison) {
	words := inWords(c.Name)
	fmt.Fprintf(b, "\n### %s\n\n`%s`: `load %s`, %d rounds, median (smallest to largest).\n\n",
		words.name, c.Name, c.Scenario, c.Rounds)
	b.WriteString("| server | set-up |")
	for _, column := range columns {
		b.WriteString(" " + column.title + " |")
	}
	b.WriteString("\n|---|---|" + strings.Repeat("---|", len(columns)) + "\n")
	for _, s := range c.Servers {
		fmt.Fprintf(b, "| %s | %s |", named(s.Name), s.Setup)
		for _, column := range columns {
			b.WriteString(" " + inRange(s.Figures[column.metric]) + " |")
		}
		b.WriteString("\n")
	}
}

// inRange says the unit once, where all three have it.
func inRange(f figure) string {
	if f.Runs == 0 {
		return ""
	}
	median, least, most := number(f.Value.Median, f.Unit), number(f.Value.Min, f.Unit), number(f.Value.Max, f.Unit)
	if _, unit, found := strings.Cut(median, " "); found {
		a, least1 := strings.CutSuffix(least, " "+unit)
		b, most1 := strings.CutSuffix(most, " "+unit)
		if least1 && most1 {
			least, most = a, b
		}
	}
	return fmt.Sprintf("%s (%s to %s)", median, least, most)
}

// overHTTP has a row a rate of publishing.
func overHTTP(b *strings.Builder, all *results) {
	const prefix = "http-publish-"
	rate := func(c *comparison) int {
		n, err := strconv.Atoi(strings.TrimPrefix(c.Name, prefix))
		if err != nil {
			return 0
		}
		return n
	}
	var list []*comparison
	for _, c := range all.Comparisons {
		if strings.HasPrefix(c.Name, prefix) {
			list = append(list, c)
		}
	}
	if list == nil {
		return
	}
	slices.SortFunc(list, func(a, b *comparison) int { return rate(a) - rate(b) })
	b.WriteString("\n### Publishing over HTTP\n\n" +
		"One group of 1,000, 4 connections to the API, by publishes a second (`" + prefix + "RATE`).\n\n" +
		"| publishes a second | latency p50 | latency p99 | CPU a delivery | rounds |\n|---|---|---|---|---|\n")
	for _, c := range list {
		p50, _ := c.of(ours, "latency p50")
		p99, _ := c.of(ours, "latency p99")
		cost, _ := c.of(ours, cpu)
		fmt.Fprintf(b, "| %s | %s | %s | %s | %d |\n",
			thousands(float64(rate(c))), inRange(p50), inRange(p99), inRange(cost), p99.Runs)
	}
}
