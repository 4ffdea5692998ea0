# SPDX-License-Identifier: ISC
"""Hosts of a network of its own, for tests: each is a network namespace, whose link to the others can be cut.

    network = Network(hosts=3)
    network.address                     this side's, by which the hosts reach it; network can stand for a host, but for cut()
    host = network.hosts[0]
    host.address                        where what runs there listens
    host.command                        what stands before a program's own words for it to run there
    host.cut(); host.mend()             packets vanish, in both directions, and nobody is told; and come through again
    network.remove()

A host's link is a pair of virtual interfaces, of which one is a port of a bridge: it is cut by taking it off the bridge. All know
the hardware addresses of all, as a kernel that looked for one in vain would say so at once ("no route to host"), as it does not
where a router is between. REASON says why there can be none, or is None.
"""
import os
import random
import shutil
import subprocess

import harness


def run(*command):
    subprocess.run(command, check=True, capture_output=True, text=True)


class Host:
    def __init__(self, network, number):
        self.network, self.number = network, number
        self.address, self.hardware = network.address_of(number), network.hardware_of(number)
        self.name = f"{network.name}-{number}"
        self.command = ["ip", "netns", "exec", self.name]
        run("ip", "netns", "add", self.name)
        run("ip", "link", "add", self.name, "type", "veth", "peer", "name", "eth0", "address", self.hardware, "netns", self.name)
        self.run("ip", "link", "set", "lo", "up")
        self.run("ip", "address", "add", f"{self.address}/24", "dev", "eth0")
        self.run("ip", "link", "set", "eth0", "up")
        run("ip", "link", "set", self.name, "up")
        self.mend()

    def run(self, *command):
        run(*self.command, *command)

    def knows(self, address, hardware):
        self.run("ip", "neighbor", "replace", address, "lladdr", hardware, "dev", "eth0", "nud", "permanent")

    def cut(self):
        run("ip", "link", "set", self.name, "nomaster")

    def mend(self):
        run("ip", "link", "set", self.name, "master", self.network.name)

    def remove(self):
        subprocess.run(["ip", "netns", "delete", self.name], capture_output=True)


class Network:
    def __init__(self, hosts=1):
        self.part = next(part for part in random.sample(range(1, 255), 254) if harness.reserve(f"network-{part}"))
        self.name = f"cdrd{os.getpid() % 100000}"
        self.hosts, self.command = [], []
        self.address = self.address_of(0)
        try:
            run("ip", "link", "add", self.name, "type", "bridge", "forward_delay", "0")
            run("ip", "link", "set", self.name, "address", self.hardware_of(0))
            run("ip", "address", "add", f"{self.address}/24", "dev", self.name)
            run("ip", "link", "set", self.name, "up")
            self.hosts += [Host(self, number) for number in range(1, hosts + 1)]
            self.introduce()
        except BaseException:
            self.remove()
            raise

    def address_of(self, number):
        return f"10.231.{self.part}.{number + 1}"

    def hardware_of(self, number):
        return f"02:cd:00:00:{self.part:02x}:{number + 1:02x}"

    def introduce(self):
        for host in self.hosts:
            run("ip", "neighbor", "replace", host.address, "lladdr", host.hardware, "dev", self.name, "nud", "permanent")
            host.knows(self.address, self.hardware_of(0))
            for other in self.hosts:
                if other is not host:
                    host.knows(other.address, other.hardware)

    def remove(self):
        for host in self.hosts:
            host.remove()
        subprocess.run(["ip", "link", "delete", self.name], capture_output=True)


def missing():
    if not shutil.which("ip"):
        return "iproute2 is not installed"
    if os.geteuid() != 0:
        return "only root may make network namespaces"
    try:
        Network(1).remove()
    except subprocess.CalledProcessError as error:
        return f"no network namespaces can be made: {error.stderr.strip()}"
    return None


REASON = missing()
