// Writes CASE0.snap, CASE1.snap … for CASE.top and CASE.events: `go run simulator.go ring`.
//
// The rules are those of the simulator of COS 418, assignment 2, and the random numbers Go's own:
// what `master import cos418` is compared with shares nothing with it.
package main

import (
	"bufio"
	"fmt"
	"math/rand"
	"os"
	"sort"
	"strconv"
	"strings"
)

type message struct {
	marker bool
	value  int // tokens, or the snapshot of a marker
	due    int
}

type recording struct {
	tokens   int
	open     map[string]bool // links whose marker has not come
	messages []string
}

type server struct {
	tokens   int
	in       []string
	out      []string // sorted
	recorded map[int]*recording
}

var (
	servers = map[string]*server{}
	names   []string // sorted
	links   = map[[2]string][]message{}
	now     int
)

func send(from, to string, marker bool, value int) {
	link := [2]string{from, to}
	links[link] = append(links[link], message{marker, value, now + 1 + rand.Intn(5)})
}

func record(name string, snapshot int, except string) {
	s := servers[name]
	open := map[string]bool{}
	for _, peer := range s.in {
		open[peer] = peer != except
	}
	s.recorded[snapshot] = &recording{s.tokens, open, nil}
	for _, peer := range s.out {
		send(name, peer, true, snapshot)
	}
}

func receive(from, to string, m message) {
	s := servers[to]
	if !m.marker {
		s.tokens += m.value
		for _, r := range s.recorded {
			if r.open[from] {
				r.messages = append(r.messages, fmt.Sprintf("%s %s token(%d)", from, to, m.value))
			}
		}
	} else if r, ok := s.recorded[m.value]; ok {
		r.open[from] = false
	} else {
		record(to, m.value, from)
	}
}

func tick() {
	now++
	for _, from := range names {
		for _, to := range servers[from].out {
			link := [2]string{from, to}
			if queue := links[link]; len(queue) > 0 && queue[0].due <= now {
				links[link] = queue[1:]
				receive(from, to, queue[0])
				break
			}
		}
	}
}

func lines(file string) (found [][]string) {
	opened, err := os.Open(file)
	if err != nil {
		panic(err)
	}
	for scanner := bufio.NewScanner(opened); scanner.Scan(); {
		words := strings.Fields(scanner.Text())
		if len(words) > 0 && !strings.HasPrefix(words[0], "#") {
			found = append(found, words)
		}
	}
	return found
}

func number(word string) int {
	n, err := strconv.Atoi(word)
	if err != nil {
		panic(err)
	}
	return n
}

func main() {
	rand.Seed(8053172852482175524)
	test := os.Args[1]
	top := lines(test + ".top")
	count := number(top[0][0])
	for _, line := range top[1 : count+1] {
		servers[line[0]] = &server{number(line[1]), nil, nil, map[int]*recording{}}
		names = append(names, line[0])
	}
	sort.Strings(names)
	for _, line := range top[count+1:] {
		from, to := line[0], line[1]
		if _, known := links[[2]string{from, to}]; !known && from != to {
			links[[2]string{from, to}] = nil
			servers[from].out = append(servers[from].out, to)
			servers[to].in = append(servers[to].in, from)
		}
	}
	for _, s := range servers {
		sort.Strings(s.out)
	}
	snapshots := 0
	for _, line := range lines(test + ".events") {
		switch line[0] {
		case "send":
			servers[line[1]].tokens -= number(line[3])
			send(line[1], line[2], false, number(line[3]))
		case "snapshot":
			record(line[1], snapshots, "")
			snapshots++
		case "tick":
			times := 1
			if len(line) > 1 {
				times = number(line[1])
			}
			for i := 0; i < times; i++ {
				tick()
			}
		}
	}
	for i := 0; i < 10000; i++ {
		tick()
	}
	for k := 0; k < snapshots; k++ {
		text := fmt.Sprintln(k)
		for _, name := range names {
			text += fmt.Sprintln(name, servers[name].recorded[k].tokens)
		}
		for _, name := range names {
			for _, message := range servers[name].recorded[k].messages {
				text += fmt.Sprintln(message)
			}
		}
		if err := os.WriteFile(fmt.Sprintf("%s%d.snap", test, k), []byte(text), 0o666); err != nil {
			panic(err)
		}
	}
}
