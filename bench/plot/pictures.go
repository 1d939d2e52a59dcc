package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

const (
	cpu        = "CPU per delivery"
	deliveries = "deliveries"
	perSession = "resident per session"
)

// capacity is the picture at the top of the project's README, and the scenarios that it shows.
const (
	capacity      = "capacity"
	capacityLoad  = "peers-hot-room"
	capacityCrowd = "peers-many-rooms"
)

// pictures are all that can be drawn of what was measured.
func pictures(all *results) []picture {
	var list []picture
	add := func(p picture) {
		p.panels = slices.DeleteFunc(p.panels, func(p panel) bool { return len(p.rows) == 0 })
		if len(p.panels) > 0 {
			list = append(list, p)
		}
	}
	main := capacityPicture(all)
	add(main)
	main.name, main.wide = capacity+"-wide", true
	add(main)
	scenarios := []string{
		"big-room-100", "big-room-1000", "big-room", "big-room-18500", "hot-room", "hot-room-w32", "hot-room-w1",
		"many-rooms", "many-groups", "churn", "two-loops-half", "storm",
	}
	add(picture{
		name: "against-c", title: "CPU against a C program that only copies bytes",
		panels:  []panel{ratioPanel(all, scenarios)},
		caption: conditions(all, "The ratio is taken within each round.", scenarios...),
	})
	servers := []string{"peers-hot-room", "peers-many-rooms", "peers-big-room"}
	add(picture{
		name: "servers-cpu", title: "CPU that one delivery costs",
		panels:  serverPanels(all, cpu, "CPU a delivery", true, servers...),
		caption: conditions(all, "", servers...),
	})
	add(picture{
		name: "servers-small-groups", title: "Many small groups",
		panels:  serverPanels(all, deliveries, "deliveries a second", false, "peers-many-rooms"),
		caption: conditions(all, "Nchan has no such scenario: a connection is in one group there.", "peers-many-rooms"),
	})
	add(picture{
		name: "latency", title: "From publishing to receiving",
		panels: []panel{
			percentiles(all, "big-room", "One group of 5,000, 20 messages a second"),
			percentiles(all, "two-loops-half", "1,000 groups of 10, two event loops, half load"),
		},
		caption: conditions(all, "", "big-room", "two-loops-half"),
	})
	bySize := []string{"big-room-100", "big-room-1000", "big-room", "big-room-18500"}
	byGroups := []string{"groups-1", "groups-10", "groups-100", "groups-500"}
	idle := []string{"idle-1000", "idle-5000", "idle-18500"}
	add(picture{
		name: "by-size", title: "What size costs",
		panels: []panel{
			grouped(all, cpu, "CPU a delivery, by the size of one group", "CPU a delivery", bySize...),
			grouped(all, cpu, "CPU a delivery, by the number of groups", "CPU a delivery", byGroups...),
			grouped(all, "memory per session", "Memory that an idle session adds", "memory a session", idle...),
		},
		caption: conditions(all, "", slices.Concat(bySize, byGroups, idle)...),
	})
	for i := range list {
		if list[i].alt == "" {
			list[i].alt = inText(list[i].panels)
		}
	}
	return list
}

// capacityPicture answers how much a machine carries.
func capacityPicture(all *results) picture {
	load := serverPanels(all, deliveries, "deliveries a second", false, capacityLoad)
	crowd := serverPanels(all, perSession, "memory a session", true, capacityCrowd)
	for i := range load {
		load[i].title = "Deliveries a second"
		load[i].note = "One group of 1,000 at full load: 4 publishers, 128 messages of 128 bytes under way each"
	}
	for i := range crowd {
		crowd[i].title = "Memory a session"
		crowd[i].note = fmt.Sprintf("All that the server holds, divided by its %s sessions: 1,000 groups of 10 at full load",
			thousands(float64(sessions(all.find(capacityCrowd)))))
	}
	return picture{
		name: capacity, title: "What one CPU carries", panels: append(load, crowd...),
		caption: conditions(all, notMeasured(load, crowd), capacityLoad, capacityCrowd),
	}
}

// notMeasured names the servers that are in the first panels and not in the others.
func notMeasured(load, crowd []panel) string {
	if len(load) == 0 || len(crowd) == 0 {
		return ""
	}
	var missing []string
	for _, r := range load[0].rows {
		if !slices.ContainsFunc(crowd[0].rows, func(o row) bool { return o.label == r.label }) {
			missing = append(missing, r.label)
		}
	}
	if missing == nil {
		return ""
	}
	return "Memory was not measured there: " + strings.Join(missing, ", ") + "."
}

// sessions is how many each server had.
func sessions(c *comparison) (n int) {
	if c == nil {
		return 0
	}
	for _, s := range c.Servers {
		n = max(n, s.Connections)
	}
	return n
}

// conditions say how what a picture shows was measured.
func conditions(all *results, more string, of ...string) string {
	fewest, most, others := math.MaxInt, 0, 0.0
	var where []string
	for _, name := range of {
		c := all.find(name)
		if c == nil {
			continue
		}
		fewest, most = min(fewest, c.Rounds), max(most, c.Rounds)
		if line := c.Machine + ", " + c.Date; !slices.Contains(where, line) {
			where = append(where, line)
		}
		for _, s := range c.Servers {
			others = max(others, s.Figures[othersMetric].Value.Max)
		}
	}
	rounds := strconv.Itoa(most)
	if fewest < most {
		rounds = fmt.Sprintf("%d to %d", fewest, most)
	}
	text := fmt.Sprintf("Bars are medians of %s rounds, whiskers reach from the smallest to the largest. "+
		"The server has one CPU, the load generator the other", rounds)
	if slices.Contains(of, "two-loops-half") {
		text += "; two event loops share both with it"
	}
	text += ". " + strings.Join(where, "; ") + "."
	if others > 0.1 {
		text += fmt.Sprintf(" Other programs took up to %.1f CPUs meanwhile: hence the scatter.", others)
	}
	if more != "" {
		text += " " + more
	}
	return text
}

func kindOf(server string) string {
	switch server {
	case ours:
		return "ours"
	case limit:
		return "limit"
	}
	return "other"
}

// serverPanels are a panel for each scenario, the best server on top.
func serverPanels(all *results, metric, what string, lessIsBetter bool, of ...string) []panel {
	var list []panel
	for _, name := range of {
		c := all.find(name)
		if c == nil {
			continue
		}
		words := inWords(name)
		p := panel{title: words.name, note: words.setup, what: what}
		for _, s := range c.Servers {
			f, ok := s.Figures[metric]
			if !ok {
				continue
			}
			p.unit = f.Unit
			p.rows = append(p.rows, row{
				label: named(s.Name), setup: s.Setup, ours: s.Name == ours, bars: []bar{{kindOf(s.Name), f.Value}},
			})
		}
		slices.SortStableFunc(p.rows, func(a, b row) int {
			if lessIsBetter {
				a, b = b, a
			}
			return cmp.Compare(b.bars[0].value.Median, a.bars[0].value.Median)
		})
		list = append(list, p)
	}
	return list
}

// ratioPanel has a bar a scenario: what groupcast takes where the C program takes 1.
func ratioPanel(all *results, of []string) panel {
	p := panel{unit: "ratio", what: "times the C program's CPU (1 is C, less is better)", mark: 1}
	for _, name := range of {
		for _, metric := range []string{cpu, "CPU per connection"} {
			if f, ok := all.find(name).of(ours, metric); ok {
				words := inWords(name)
				p.rows = append(p.rows, row{label: words.name, setup: words.setup, bars: []bar{{"ours", f.Ratio}}})
				break
			}
		}
	}
	return p
}

// grouped has a row a scenario and in it a bar each for groupcast and the C program.
func grouped(all *results, metric, title, what string, of ...string) panel {
	p := panel{title: title, what: what, legend: true}
	for _, name := range of {
		words := inWords(name)
		r := row{label: words.name, setup: words.setup}
		for _, server := range []string{ours, limit} {
			if f, ok := all.find(name).of(server, metric); ok {
				p.unit = f.Unit
				r.bars = append(r.bars, bar{kindOf(server), f.Value})
			}
		}
		if r.bars != nil {
			p.rows = append(p.rows, r)
		}
	}
	return p
}

// percentiles has a row each.
func percentiles(all *results, name, title string) panel {
	p := panel{title: title, what: "delivered within", legend: true}
	for _, at := range []struct{ metric, words string }{
		{"latency p50", "half of them"},
		{"latency p90", "90 %"},
		{"latency p99", "99 %"},
		{"latency p99.9", "99.9 %"},
		{"latency max", "the slowest"},
	} {
		r := row{label: at.words}
		for _, server := range []string{ours, limit} {
			if f, ok := all.find(name).of(server, at.metric); ok {
				p.unit = f.Unit
				r.bars = append(r.bars, bar{kindOf(server), f.Value})
			}
		}
		if r.bars != nil {
			p.rows = append(p.rows, r)
		}
	}
	return p
}

// inText is a picture for those who do not see it.
func inText(panels []panel) string {
	var parts []string
	for _, p := range panels {
		var rows []string
		for _, r := range p.rows {
			var figures []string
			for _, b := range r.bars {
				text := number(b.value.Median, p.unit)
				if len(r.bars) > 1 {
					text = map[string]string{"ours": named(ours), "limit": "C"}[b.kind] + " " + text
				}
				figures = append(figures, text)
			}
			label := r.label
			if r.setup != "" {
				label += " (" + r.setup + ")"
			}
			rows = append(rows, label+" "+strings.Join(figures, ", "))
		}
		title := p.title
		if title == "" {
			title = p.what
		}
		parts = append(parts, title+": "+strings.Join(rows, "; ")+".")
	}
	return strings.Join(parts, " ")
}
