// bench.go measures in Go what bench.c measures here: "name value" lines, ns or bytes.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

const (
	rounds = 5
	yields = 2000000
	passes = 500000
	idle   = 20000
)

func best(name string, n float64, f func()) {
	least := 0.0
	for i := 0; i < rounds; i++ {
		start := time.Now()
		f()
		each := float64(time.Since(start).Nanoseconds()) / n
		if least == 0 || each < least {
			least = each
		}
	}
	fmt.Printf("%s %.1f\n", name, least)
}

func yieldOften() {
	for i := 0; i < yields; i++ {
		runtime.Gosched()
	}
}

func yield() {
	done := make(chan bool)
	go func() { yieldOften(); close(done) }()
	yieldOften()
	<-done
}

func echo(there, back chan int64, lock bool) {
	if lock {
		runtime.LockOSThread()
	}
	for x := range there {
		back <- x
	}
	close(back)
}

func rally(n int, lock bool) {
	there, back := make(chan int64), make(chan int64)
	go echo(there, back, lock)
	for i := 0; i < n; i++ {
		there <- 1
		<-back
	}
	close(there)
	<-back
}

func buffered() {
	ch := make(chan int64, 100)
	for i := 0; i < passes; i++ {
		ch <- 1
		<-ch
	}
}

var ended int

func spawn() {
	ended = 0
	for i := 0; i < passes; i++ {
		go func() { ended++ }()
		if i%100 == 99 {
			runtime.Gosched()
		}
	}
	for ended < passes {
		runtime.Gosched()
	}
}

func rss() int {
	data, _ := os.ReadFile("/proc/self/statm")
	pages, _ := strconv.Atoi(strings.Fields(string(data))[1])
	return pages * os.Getpagesize()
}

func memory() {
	runtime.GC()
	before := rss()
	never := make(chan bool)
	for i := 0; i < idle; i++ {
		go func() { <-never }()
	}
	time.Sleep(10 * time.Millisecond)
	fmt.Printf("parked-bytes %.1f\n", float64(rss()-before)/idle)
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "wake" {
		runtime.GOMAXPROCS(2)
		runtime.LockOSThread()
		best("wake", 2*20000, func() { rally(20000, true) })
		return
	}
	runtime.GOMAXPROCS(1)
	best("yield", 2*yields, yield)
	best("unbuffered", 2*passes, func() { rally(passes, false) })
	best("buffered", passes, buffered)
	best("spawn", passes, spawn)
	memory()
}
