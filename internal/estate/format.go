package estate

import (
	"regexp"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/form"
)

// The format of environments/NAME.yaml. docs/reference/estate.md says the same in prose.

const day = 24 * time.Hour

// words help with keys that other systems call differently, or that were written in another place.
var words = form.Words{
	Empty: "write strategy: rolling; all else has its default",
	Elsewhere: map[string]string{
		"domain": "route", "domains": "route", "edges": "edge", "host": "hosts", "hostname": "route", "nodes": "hosts", "observe": "soak",
		"percent": "weight", "wait": "pause", "duration": "pause", "keep": "warm", "labels": "hosts", "rollout": "strategy", "monitor": "watch",
		"aliases": "route", "runtime": "platform", "driver": "platform", "quota": "limits", "quotas": "limits", "resources": "limits",
		"mem": "memory", "ram": "memory", "cpus": "cpu", "cores": "cpu", "pids": "processes", "tasks": "processes", "threads": "processes",
		"replicas": "instances", "copies": "instances", "scale": "instances",
	},
	Homes: map[string]string{
		"max_surge": "strategy.rolling", "max_unavailable": "strategy.rolling", "steps": "strategy.canary",
		"warm": "strategy.blue-green or strategy.canary", "weight": "a step of strategy.canary", "pause": "a step of strategy.canary",
		"memory": "limits", "cpu": "limits", "processes": "limits", "instances": "limits",
		"replicas": "limits, as instances", "cpus": "limits, as cpu", "mem": "limits, as memory", "pids": "limits, as processes",
		"errors": "watch", "latency": "watch", "least": "watch",
	},
}

func environmentShape() form.Object {
	return form.Object{
		Example: "write strategy: rolling, and what else differs from the defaults",
		Fields: []form.Field{
			{Key: "platform", Shape: form.Choice{Words: []string{andon.PlatformProcess, andon.PlatformDocker}}, Doc: "what runs the copies; default process"},
			{Key: "hosts", Shape: selectorShape(), Doc: "the hosts that get copies; default: those labelled environment=NAME, otherwise the server's own"},
			{Key: "edge", Shape: selectorShape(), Doc: "the hosts whose proxies serve the routes; default: those labelled role=edge, otherwise the hosts of the copies"},
			{Key: "route", Shape: form.Either{Scalar: routeShape, List: form.List{Item: routeShape, Least: 1, Most: 20, Noun: "host name", Example: `write "{service}.example.com"`}}, Doc: "the host name of every service there, or several; {service} stands for its name"},
			{Key: "routes", Shape: routesShape(), Doc: "the host names of services that have their own, in place of route"},
			{Key: "limits", Shape: limitsShape(), Doc: "what each copy may take of its host, and how many copies a service may have; default: no limit"},
			{Key: "strategy", Shape: form.Either{Scalar: form.Choice{Words: strategyWords()}, Mapping: strategyShape()}, Doc: "how new copies take the traffic over; default rolling"},
			{Key: "soak", Shape: form.Span{Least: 0, Most: day}, Doc: "how long all must stay well after the switch; default 0s"},
			{Key: "watch", Shape: watchShape(), Doc: "which difference from the old copies fails a deployment; default: only health is watched"},
		},
	}
}

func selectorShape() form.Object {
	const example = "write {labels: {NAME: VALUE}} or {names: [HOST]}"
	return form.Object{
		Example: example, Some: []string{"labels", "names"}, None: "chooses no host", Hint: example,
		Fields: []form.Field{
			{Key: "names", Shape: form.List{Item: form.Name, Least: 1, Most: 1000, Noun: "host", Example: "write the name of a host"}, Doc: "hosts by name"},
			{Key: "labels", Shape: form.Mapping{Key: labelShape, Value: form.Text{Noun: "a text", Plain: true, Most: 63}, Least: 1, Most: 20, Noun: "label", Example: "write {NAME: VALUE}"}, Doc: "all of these labels, as the hosts say them"},
		},
	}
}

func routesShape() form.Mapping {
	const example = "write {SERVICE: shop.example.com}"
	hosts := form.List{Item: hostShape, Least: 1, Most: 20, Noun: "host name", Example: "write shop.example.com"}
	return form.Mapping{Key: form.Name, Value: form.Either{Scalar: hostShape, List: hosts}, Least: 1, Most: 1000, Noun: "service", Example: example}
}

func limitsShape() form.Object {
	const example = "write {memory: 512MiB, cpu: 0.5}"
	return form.Object{
		Example: example, Some: []string{"memory", "cpu", "processes", "instances"}, None: "limits nothing", Hint: example,
		Fields: []form.Field{
			{Key: "memory", Shape: form.Size{Least: 8 << 20, Most: 64 << 40}, Doc: "the memory of one copy"},
			{Key: "cpu", Shape: form.Fraction{Least: 0.01, Most: 1024}, Doc: "the processor time of one copy, in cores"},
			{Key: "processes", Shape: form.Whole{Least: 1, Most: 4_000_000}, Doc: "the processes of one copy; threads count"},
			{Key: "instances", Shape: form.Whole{Least: 1, Most: 1000}, Doc: "the copies of one service, as its andon.yaml wants them"},
		},
	}
}

func strategyShape() form.Object {
	const example = "write one of rolling, blue-green, canary and replace, with its numbers"
	return form.Object{
		Example: example, One: strategyWords(), None: "names no strategy", Hint: example,
		Fields: []form.Field{
			{Key: string(andon.Rolling), Shape: form.Object{
				Example: "write {max_surge: 1}",
				Fields: []form.Field{
					{Key: "max_unavailable", Shape: form.Whole{Least: 0, Most: 100}, Doc: "how many copies fewer than wanted may have traffic; default 0"},
					{Key: "max_surge", Shape: form.Whole{Least: 0, Most: 100}, Doc: "how many copies more than wanted may exist; default 1, and 0 with max_unavailable"},
				},
			}, Doc: "a few copies at a time"},
			{Key: string(andon.BlueGreen), Shape: form.Object{Example: "write {warm: 10m}", Fields: []form.Field{warmField()}}, Doc: "the whole new group, then one switch"},
			{Key: string(andon.Canary), Shape: form.Object{
				Example: "write {steps: [{weight: 5, pause: 2m}]}",
				Fields: []form.Field{
					{Key: "steps", Required: true, Shape: stepsShape(), Doc: "the shares of the requests that the new group gets, in rising order, before it gets all"},
					warmField(),
				},
			}, Doc: "more and more of the requests"},
			{Key: string(andon.Replace), Shape: form.Object{Example: "write {}"}, Doc: "as blue-green, with new instances only"},
		},
	}
}

func warmField() form.Field {
	return form.Field{Key: "warm", Shape: form.Span{Least: 0, Most: 7 * day}, Doc: "how long the old copies are kept without traffic afterwards, so that going back needs no start; default 0s"}
}

func stepsShape() form.List {
	step := form.Object{
		Example: "write {weight: 5, pause: 2m}",
		Fields: []form.Field{
			{Key: "weight", Required: true, Shape: form.Whole{Least: 1, Most: 99}, Doc: "percent of the requests"},
			{Key: "pause", Required: true, Shape: form.Span{Least: 0, Most: day}, Doc: "how long they get that share"},
		},
	}
	return form.List{Item: step, Least: 1, Most: 50, Noun: "step", Example: "write {weight: 5, pause: 2m}"}
}

func watchShape() form.Object {
	return form.Object{
		Example: "write {errors: 0.5, least: 200}",
		Fields: []form.Field{
			{Key: "errors", Required: true, Shape: form.Fraction{Least: 0, Most: 100}, Doc: "by how many percentage points more requests may fail than of the old copies"},
			{Key: "latency", Shape: form.Fraction{Least: 1, Most: 1000}, Doc: "how many times slower the 95th percentile may be; default: not compared"},
			{Key: "least", Shape: form.Whole{Least: 1, Most: 1_000_000_000}, Doc: "how many requests the new copies must have had before they are judged; default 100"},
		},
	}
}

// defaultLeast is how many requests a group has had at least before it is judged.
const defaultLeast = 100

func strategyWords() []string {
	var all []string
	for _, s := range andon.Strategies() {
		all = append(all, string(s))
	}
	return all
}

var (
	labelShape = form.Text{
		Noun: "the name of a label", Rule: "use letters, digits, -, _ and .", Most: 63,
		Pattern: regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`),
	}
	routeShape = form.Text{
		Noun: "a host name with {service}", Most: 200,
		Rule:    "write a host name in lower case that has {service} as one of its parts, such as {service}.example.com",
		Pattern: regexp.MustCompile(`^(?:[a-z0-9-]+\.|[a-z0-9-]+-)*\{service\}(?:-[a-z0-9-]+)?(?:\.[a-z0-9-]+)*$`),
	}
	hostShape = form.Text{
		Noun: "a host name", Most: 253,
		Rule:    "write a host name in lower case without a port, such as shop.example.com",
		Pattern: regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$`),
	}
)
