local function V(x, y) return { x = x, y = y } end
local function add(a, b) return V(a.x + b.x, a.y + b.y) end
local function scale(a, k) return V(a.x * k, a.y * k) end
local function dot(a, b) return a.x * b.x + a.y * b.y end
local function clamp(x, low, high) return math.max(low, math.min(x, high)) end

local GRAVITY = V(0.0, -9.81)

local Particle = {}
Particle.__index = Particle

function Particle.new(position, velocity, mass)
  return setmetatable({ position = position, velocity = velocity, mass = mass, bounces = 0 }, Particle)
end

function Particle:move(dt)
  self.velocity = add(self.velocity, scale(GRAVITY, dt))
  self.position = add(self.position, scale(self.velocity, dt))
  local position, velocity = self.position, self.velocity
  if position.x < 0.0 or position.x > 10.0 then
    velocity.x = -velocity.x
    position.x = clamp(position.x, 0.0, 10.0)
    self.bounces = self.bounces + 1
  end
  if position.y < 0.0 or position.y > 10.0 then
    velocity.y = -0.9 * velocity.y
    position.y = clamp(position.y, 0.0, 10.0)
    self.bounces = self.bounces + 1
  end
end

function Particle:energy()
  return self.mass * (0.5 * dot(self.velocity, self.velocity) - dot(GRAVITY, self.position))
end

local function step(particles, dt)
  for i = 1, #particles do particles[i]:move(dt) end
end

local n = tonumber(arg[1]) or 1000
local steps = tonumber(arg[2]) or 100
local particles = {}
for i = 0, n - 1 do
  particles[i + 1] =
    Particle.new(V(i % 97 / 9.7, i % 31 / 3.1), V(i % 13 - 6.0, i % 7 - 3.0), 1.0 + i % 5 / 4.0)
end
for i = 1, steps do step(particles, 0.01) end
local energy, bounces = 0.0, 0
for i = 1, #particles do
  energy = energy + particles[i]:energy()
  bounces = bounces + particles[i].bounces
end
print(string.format("%.6f %d", energy, bounces))
