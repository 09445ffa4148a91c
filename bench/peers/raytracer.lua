local sqrt, floor, sin, cos, max = math.sqrt, math.floor, math.sin, math.cos, math.max

local EPSILON = 1.0e-6
local MAX_DEPTH = 5

local function V(x, y, z) return { x = x, y = y, z = z } end
local function add(a, b) return V(a.x + b.x, a.y + b.y, a.z + b.z) end
local function sub(a, b) return V(a.x - b.x, a.y - b.y, a.z - b.z) end
local function scale(a, k) return V(a.x * k, a.y * k, a.z * k) end
local function dot(a, b) return a.x * b.x + a.y * b.y + a.z * b.z end
local function cross(a, b) return V(a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x) end
local function length(a) return sqrt(dot(a, a)) end
local function unit(a) return scale(a, 1.0 / length(a)) end
local function mirror(a, n) return sub(a, scale(n, 2.0 * dot(a, n))) end

local function Ray(origin, direction) return { origin = origin, direction = direction } end
local function at(ray, t) return add(ray.origin, scale(ray.direction, t)) end
local function Material(color, shine, mirror) return { color = color, shine = shine, mirror = mirror } end
local function Sphere(center, radius, material) return { center = center, radius = radius, material = material } end

local function hit_sphere(s, ray)
  local oc = sub(ray.origin, s.center)
  local b = dot(oc, ray.direction)
  local d = b * b - dot(oc, oc) + s.radius * s.radius
  if d < 0.0 then return nil end
  local root = sqrt(d)
  if -b - root > EPSILON then return -b - root end
  if -b + root > EPSILON then return -b + root end
  return nil
end

local function look_at(position, target)
  local forward = unit(sub(target, position))
  local right = unit(cross(forward, V(0.0, 1.0, 0.0)))
  return { position = position, forward = forward, right = right, up = cross(right, forward) }
end

local function make_scene(width, height)
  local spheres = {
    Sphere(V(0.0, 1.0, 0.0), 1.0, Material(V(0.9, 0.3, 0.2), 60.0, 0.25)),
    Sphere(V(-2.1, 0.8, 0.6), 0.8, Material(V(0.2, 0.5, 0.9), 80.0, 0.3)),
    Sphere(V(1.9, 0.7, 0.9), 0.7, Material(V(0.9, 0.9, 0.9), 200.0, 0.8)),
  }
  for k = 0, 11 do
    local angle = k * 0.5235987755982988
    local tint = V(0.5 + 0.5 * cos(angle), 0.6, 0.5 + 0.5 * sin(angle))
    spheres[#spheres + 1] = Sphere(V(3.4 * cos(angle), 0.3, 3.4 * sin(angle)), 0.3, Material(tint, 40.0, 0.15))
  end
  return {
    width = width, height = height, camera = look_at(V(0.0, 2.6, 7.0), V(0.0, 0.6, 0.0)), spheres = spheres,
    light = V(5.0, 8.0, 6.0),
  }
end

local function nearest(scene, ray)
  local best = nil
  local limit = 1.0e30
  local spheres = scene.spheres
  for i = 1, #spheres do
    local s = spheres[i]
    local t = hit_sphere(s, ray)
    if t and t < limit then
      local p = at(ray, t)
      best = { distance = t, point = p, normal = scale(sub(p, s.center), 1.0 / s.radius), material = s.material }
      limit = t
    end
  end
  if ray.direction.y < 0.0 then
    local t = -ray.origin.y / ray.direction.y
    if t > EPSILON and t < limit then
      local p = at(ray, t)
      local dark = (floor(p.x) + floor(p.z)) % 2
      local tone = dark == 1 and 0.35 or 0.85
      best = { distance = t, point = p, normal = V(0.0, 1.0, 0.0), material = Material(V(tone, tone, tone), 10.0, 0.1) }
    end
  end
  return best
end

local function in_shadow(scene, point, light)
  local way = sub(light, point)
  local distance = length(way)
  local ray = Ray(point, scale(way, 1.0 / distance))
  local spheres = scene.spheres
  for i = 1, #spheres do
    local t = hit_sphere(spheres[i], ray)
    if t and t < distance then return true end
  end
  return false
end

local function sky(direction)
  local t = 0.5 * (direction.y + 1.0)
  return add(scale(V(1.0, 1.0, 1.0), 1.0 - t), scale(V(0.4, 0.6, 1.0), t))
end

local function shade(scene, ray, hit)
  local material = hit.material
  local ambient = scale(material.color, 0.15)
  if in_shadow(scene, add(hit.point, scale(hit.normal, EPSILON)), scene.light) then return ambient end
  local to_light = unit(sub(scene.light, hit.point))
  local diffuse = max(0.0, dot(hit.normal, to_light))
  local glance = max(0.0, dot(mirror(ray.direction, hit.normal), to_light))
  local highlight = glance ^ material.shine * 0.6
  return add(add(ambient, scale(material.color, diffuse * 0.85)), V(highlight, highlight, highlight))
end

local function trace(scene, ray, depth)
  local hit = nearest(scene, ray)
  if not hit then return sky(ray.direction) end
  local color = shade(scene, ray, hit)
  local m = hit.material.mirror
  if depth >= MAX_DEPTH or m <= 0.0 then return color end
  local bounced = Ray(add(hit.point, scale(hit.normal, EPSILON)), mirror(ray.direction, hit.normal))
  return add(scale(color, 1.0 - m), scale(trace(scene, bounced, depth + 1), m))
end

local function raytrace(scene, i)
  local column = i % scene.width
  local row = floor(i / scene.width)
  local x = (2.0 * column - scene.width) / scene.height
  local y = (scene.height - 2.0 * row) / scene.height
  local c = scene.camera
  local direction = unit(add(add(scale(c.forward, 1.9), scale(c.right, x)), scale(c.up, y)))
  local color = trace(scene, Ray(c.position, direction), 0)
  return { r = sqrt(color.x), g = sqrt(color.y), b = sqrt(color.z) }
end

local function render(pixels, count, scene)
  for i = 0, count - 1 do pixels[i + 1] = raytrace(scene, i) end
end

local width = tonumber(arg[1]) or 160
local height = tonumber(arg[2]) or 120
local scene = make_scene(width, height)
local pixels = {}
render(pixels, width * height, scene)
local r, g, b = 0.0, 0.0, 0.0
for i = 1, #pixels do
  local p = pixels[i]
  r = r + p.r
  g = g + p.g
  b = b + p.b
end
print(string.format("%.2f %.2f %.2f", r, g, b))
