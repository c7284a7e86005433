// Says which proxy Go's own net/http takes for a URL, in a given environment.
//
// Each line of standard input is {"env": {"HTTP_PROXY": "..."}, "urls": ["..."]}; each line of standard
// output is a list with, for each of these URLs, the proxy's URL, null for none, or {"error": "..."}.
//
// net/http reads the environment once in the life of a process, so each line is answered by a process
// of its own: this program again, with that environment and nothing else.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"sync"
)

// The argument that makes a process the one that answers.
const answering = "answer"

// How many of them may run at a time.
const atOnce = 8

type question struct {
	Env  map[string]string `json:"env"`
	URLs []string          `json:"urls"`
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == answering {
		answer()
		return
	}
	if err := ask(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// ask hands each line to a process with the environment that the line asks for, and prints what they say in order.
func ask() error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	var lines [][]byte
	in := bufio.NewReader(os.Stdin)
	for {
		line, err := in.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			lines = append(lines, line)
		}
		if err != nil {
			break
		}
	}
	said := make([][]byte, len(lines))
	failed := make([]error, len(lines))
	places := make(chan bool, atOnce)
	var all sync.WaitGroup
	for number := range lines {
		all.Add(1)
		places <- true
		go func(number int) {
			defer all.Done()
			said[number], failed[number] = child(program, lines[number])
			<-places
		}(number)
	}
	all.Wait()
	out := bufio.NewWriter(os.Stdout)
	for number := range lines {
		if failed[number] != nil {
			return fmt.Errorf("line %d: %v", number+1, failed[number])
		}
		out.Write(said[number])
	}
	return out.Flush()
}

func child(program string, line []byte) ([]byte, error) {
	var asked question
	if err := json.Unmarshal(line, &asked); err != nil {
		return nil, err
	}
	command := exec.Command(program, answering)
	command.Env = []string{}
	for name, value := range asked.Env {
		command.Env = append(command.Env, name+"="+value)
	}
	command.Stdin = bytes.NewReader(line)
	command.Stderr = os.Stderr
	return command.Output()
}

// answer reads one question and answers it from the environment of this process.
func answer() {
	var asked question
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	found := make([]interface{}, len(asked.URLs))
	for number, text := range asked.URLs {
		found[number] = proxyFor(text)
	}
	json.NewEncoder(os.Stdout).Encode(found)
}

func proxyFor(text string) interface{} {
	target, err := url.Parse(text)
	if err != nil {
		return map[string]string{"error": err.Error()}
	}
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: target})
	if err != nil {
		return map[string]string{"error": err.Error()}
	}
	if proxy == nil {
		return nil
	}
	return proxy.String()
}
